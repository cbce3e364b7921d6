"""From what a model says about rows to answers, beside the true ones, in the form that the metrics take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autopeft.data.answer_scores import answer_scores
from autopeft.data.batches import IGNORED
from autopeft.data.encode_spans import context_tokens, text_between
from autopeft.data.task_data import EncodedSplit, TaskData
from autopeft.domain.metrics import writes_answers
from autopeft.domain.tasks import Objective, TaskSpec
from autopeft.training.writing import Writer, write

# (true answers, predicted answers), one a row
Answers = tuple[list[Any], list[Any]]

# The longest answer that SQuAD's baselines give, in tokens.
MOST_SPAN_TOKENS = 30
# What is said of a word whose tag no training row has.
UNSEEN_TAG = "B-(not in training)"


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answers of one split.

    Attributes:
        task: what is answered.
        data: of all splits.
        split: which one.
        writer: of texts, where the task asks for them and they are wanted; else None.
    """

    task: TaskSpec
    data: TaskData
    split: str
    writer: Writer | None = None

    def read(self, model: nn.Module, rows: Sequence[int], logits: Tensor) -> Answers:
        """True and predicted answers of a batch; None for each where the task has none.

        Args:
            model: that gave the logits; it is asked to write where texts are wanted.
            rows: their numbers in the split.
            logits: as `row_losses` gives them.
        """
        encoded = self.data.splits[self.split]
        if self.writer is not None:
            return [encoded.reference(row) for row in rows], write(model, encoded, rows, self.writer)
        read = _READERS.get(self.task.objective)
        if read is None:
            return [None] * len(rows), [None] * len(rows)
        return read(encoded, self.data.label_names, list(rows), logits.float())

    def scores(self, labels: Sequence[Any], predictions: Sequence[Any]) -> tuple[float, ...]:
        """One score a row, more being better; see `data.answer_scores`."""
        return answer_scores(self.task, labels, predictions)

    def row_bytes(self, rows: Sequence[int]) -> tuple[float, ...]:
        """Bytes of text behind each row's targets, where they are known."""
        known = self.data.splits[self.split].row_bytes
        return () if known is None else tuple(known[np.asarray(rows)].tolist())


def reader_of(task: TaskSpec, data: TaskData, split: str, writer: Writer | None) -> AnswerReader:
    """The reader of a split; it writes where the task's metric asks for texts and there is a writer."""
    return AnswerReader(task, data, split, writer if writes_answers(task) else None)


def _classes(split: EncodedSplit, names: Sequence[str], rows: list[int], logits: Tensor) -> Answers:
    return _labels(split)[rows].tolist(), logits.argmax(-1).tolist()


def _label_sets(split: EncodedSplit, names: Sequence[str], rows: list[int], logits: Tensor) -> Answers:
    true = _labels(split)[rows].astype(int)
    return [tuple(row) for row in true.tolist()], [tuple(row) for row in (logits > 0).int().tolist()]


def _numbers(split: EncodedSplit, names: Sequence[str], rows: list[int], logits: Tensor) -> Answers:
    return _labels(split)[rows].astype(float).tolist(), logits.squeeze(-1).tolist()


def _labels(split: EncodedSplit) -> np.ndarray:
    assert split.labels is not None  # of a task whose rows have one
    return np.asarray(split.labels)


def _tags(split: EncodedSplit, names: Sequence[str], rows: list[int], logits: Tensor) -> Answers:
    true, predicted = [], []
    for row, tags in zip(rows, logits.argmax(-1).cpu().numpy(), strict=True):
        labels = true_tags(split, names, row)
        true.append([tag for _, tag in labels])
        predicted.append([names[tags[token]] for token, _ in labels])
    return true, predicted


def true_tags(split: EncodedSplit, names: Sequence[str], row: int) -> list[tuple[int, str]]:
    """(token, tag) of every word of a row that was not cut off."""
    assert split.token_labels is not None  # of a tagging
    labels = split.token_labels[row]
    return [
        (int(token), names[labels[token]] if labels[token] >= 0 else UNSEEN_TAG)
        for token in np.flatnonzero(labels != IGNORED)
    ]


def _spans(split: EncodedSplit, names: Sequence[str], rows: list[int], logits: Tensor) -> Answers:
    """The best stretch of the context, or none where the first token, which stands for that, is better."""
    assert split.offsets is not None  # of question answering
    true, predicted = [], []
    for row, scores in zip(rows, logits.cpu(), strict=True):
        context, answers = split.reference(row)
        true.append(tuple(answers) or ("",))
        found = best_span(scores, context_tokens(split.offsets, row))
        predicted.append("" if found is None else text_between(context, split.offsets[row], *found))
    return true, predicted


def best_span(scores: Tensor, inside: np.ndarray, most_tokens: int = MOST_SPAN_TOKENS) -> tuple[int, int] | None:
    """First and last token of the likeliest stretch, or None where no stretch is likelier than "no answer".

    Args:
        scores: of every token to be the first and the last, (L, 2).
        inside: which tokens may be in it, (tokens,) with tokens up to L.
        most_tokens: that it may have.
    """
    first, last, score = likeliest_span(scores, inside, most_tokens)
    return None if score <= float(scores[0, 0] + scores[0, 1]) else (first, last)


def likeliest_span(scores: Tensor, inside: np.ndarray, most_tokens: int = MOST_SPAN_TOKENS) -> tuple[int, int, float]:
    """First and last token of the likeliest stretch, and the sum of their scores; -inf where no token may be in it.

    Args:
        scores: and the others: as `best_span` takes them.
        inside: likewise.
        most_tokens: likewise.
    """
    count = len(inside)
    allowed = torch.from_numpy(inside)
    begin, end = (scores[:count, side].masked_fill(~allowed, -torch.inf) for side in (0, 1))
    pairs = begin[:, None] + end[None, :]
    pairs = pairs.masked_fill(~torch.ones_like(pairs, dtype=torch.bool).triu().tril(most_tokens - 1), -torch.inf)
    best = int(pairs.argmax())
    return best // count, best % count, float(pairs.flatten()[best])


_READERS: dict[Objective, Callable[[EncodedSplit, Sequence[str], list[int], Tensor], Answers]] = {
    "classification": _classes,
    "choice": _classes,
    "multi-label": _label_sets,
    "regression": _numbers,
    "tagging": _tags,
    "span": _spans,
}
