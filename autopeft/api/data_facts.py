"""What a data set tells the recommender: rows, balance of the classes, lengths, signs of wrong labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autopeft.domain.tasks import TaskSpec
from autopeft.recommend.options import DataFacts

# Characters in a token, where no tokenizer is at hand: 3.1 to 4.6 on RTE, AG News, SST-2 and BoolQ with the tokenizers
# of a BERT and of a small T5.
CHARACTERS_PER_TOKEN = 4
# Texts that lengths are taken from: enough for a 95th percentile, and quick to encode.
_MOST_TEXTS = 2_000


@dataclass(frozen=True, slots=True)
class DataProfile:
    """A data set in figures.

    Attributes:
        rows: usable training rows.
        facts: balance, lengths and noise.
        note: how the lengths were counted.
    """

    rows: int
    facts: DataFacts
    note: str

    def describe(self) -> str:
        """One sentence for people."""
        facts = self.facts
        text = f"data: {self.rows:,} training rows"
        if facts.minority_share is not None:
            text += f", the rarest class {facts.minority_share:.1%} of them"
        if facts.label_noise:
            text += f", {facts.label_noise:.1%} contradict another row"
        if facts.length_max is not None:
            text += f"; tokens p50 {facts.length_p50}, p95 {facts.length_p95}, max {facts.length_max} ({self.note})"
        return text


def profile_data(dataset: str, task: TaskSpec, model_folder: Path | None) -> DataProfile:
    """Read a data set as `search` would, and sum it up.

    Args:
        dataset: a file, a folder or a hub id.
        task: what its rows are for.
        model_folder: with the model's tokenizer, or None.

    Raises:
        DataError: it cannot be read, or does not fit the task.
    """
    from autopeft.data.load import prepare_data

    prepared = prepare_data(dataset, task)
    texts = list(prepared.texts["train"])
    labels = prepared.labels.get("train", ())
    lengths, note = _lengths(_spread_out(texts), model_folder)
    facts = DataFacts(
        minority_share=_minority_share(labels, len(prepared.label_names)),
        length_p50=_percentile(lengths, 0.5),
        length_p95=_percentile(lengths, 0.95),
        length_max=max(lengths, default=None),
        label_noise=_contradicting_share(texts, labels),
    )
    return DataProfile(len(texts), facts, note)


def _spread_out(texts: Sequence[str]) -> Sequence[str]:
    """At most `_MOST_TEXTS` of the texts, evenly over the set, the longest among them."""
    if len(texts) <= _MOST_TEXTS:
        return texts
    step = len(texts) / (_MOST_TEXTS - 1)
    return [*(texts[int(number * step)] for number in range(_MOST_TEXTS - 1)), max(texts, key=len)]


def _lengths(texts: Sequence[str], model_folder: Path | None) -> tuple[list[int], str]:
    tokenizer = None if model_folder is None else _tokenizer(model_folder)
    if tokenizer is None:
        estimated = [max(1, round(len(text) / CHARACTERS_PER_TOKEN)) for text in texts]
        return estimated, f"lengths estimated at {CHARACTERS_PER_TOKEN:g} characters a token: no tokenizer at hand"
    encoded = tokenizer(list(texts), add_special_tokens=True, truncation=False, verbose=False)["input_ids"]
    return [len(ids) for ids in encoded], "lengths by the model's own tokenizer"


def _tokenizer(folder: Path) -> Any:
    """The model's own, or None."""
    if not any(
        (folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.txt", "spiece.model")
    ):
        return None
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError):
        return None


def _percentile(lengths: Sequence[int], share: float) -> int | None:
    """The length that `share` of the texts stay within."""
    if not lengths:
        return None
    return sorted(lengths)[min(len(lengths) - 1, int(share * len(lengths)))]


def _minority_share(labels: Sequence[int], classes: int) -> float | None:
    if not labels or classes < 2:
        return None
    counts = Counter(labels)
    return min(counts.get(number, 0) for number in range(classes)) / len(labels)


def _contradicting_share(texts: Sequence[str], labels: Sequence[int]) -> float | None:
    """The share of rows whose text also stands with another label."""
    if not labels:
        return None
    seen: dict[str, set[int]] = {}
    for text, label in zip(texts, labels, strict=True):
        seen.setdefault(text, set()).add(label)
    return sum(len(seen[text]) > 1 for text in texts) / len(texts)
