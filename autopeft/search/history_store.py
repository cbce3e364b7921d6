"""What finished searches found, kept on this machine for later ones: `~/.cache/autopeft/history`.

One small JSON file a study: what was searched (a digest of the model's config, its family and size, the task, a digest
of the data) and its best configurations; no texts, no paths, no names. The folder is the user's alone, and bounded.
`AUTOPEFT_HISTORY=off` keeps and reads nothing, a path takes the place of the folder. Nothing that is read is trusted:
what is no configuration of a method that is searched now is left out.
"""

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import TrialRecord
from autopeft.errors import UsageError
from autopeft.memory.cache import cache_folder
from autopeft.search.sampler import Proposal

FORMAT = 1
MOST_FILES = 200
MOST_FILE_BYTES = 32_000
KEPT_OF_A_STUDY = 10
KEPT_OF_A_METHOD = 3
USED = 8
# Models of one family whose sizes differ by no more are alike; learning rates move little within it.
ALIKE_SIZE_FACTOR = 4.0
_OFF = ("off", "0", "no", "false")


@dataclass(frozen=True, slots=True)
class Situation:
    """What was searched for.

    Attributes:
        task: id.
        model: digest of the config.
        family: model type.
        parameters: of the base.
        data: digest of the encoded data.
    """

    task: str
    model: str
    family: str
    parameters: int
    data: str

    def distance(self, other: "Situation") -> int | None:
        """0 for the same model and data, more for less alike; None where nothing can be learnt from it."""
        if self.task != other.task:
            return None
        if self.model == other.model:
            return 0 if self.data == other.data else 1
        least, most = sorted((self.parameters, other.parameters))
        if self.family != other.family or least < 1 or most > ALIKE_SIZE_FACTOR * least:
            return None
        return 2 if self.data == other.data else 3


def history_folder() -> Path | None:
    """Where the history is kept; None where it is switched off."""
    asked = os.environ.get("AUTOPEFT_HISTORY", "")
    if asked.lower() in _OFF:
        return None
    return Path(asked).expanduser() if asked else cache_folder().parent / "history"


def remember(folder: Path, situation: Situation, ranked: Sequence[TrialRecord]) -> None:
    """Keep the best of a finished search; a folder that cannot be written is no error.

    A later search in the same situation takes the place of an earlier one whose result was worse.

    Args:
        folder: see `history_folder`.
        situation: what was searched for.
        ranked: its trials, the most promising first.
    """
    if not ranked or not math.isfinite(ranked[0].loss):
        return
    study = {"format": FORMAT, "situation": asdict(situation), "loss": ranked[0].loss, "best": _best(ranked)}
    name = hashlib.sha256(json.dumps(asdict(situation), sort_keys=True).encode()).hexdigest()[:32]
    earlier = _read(folder / f"{name}.json")
    if earlier is not None and earlier["loss"] < ranked[0].loss:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_room(folder)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")  # readable by its owner alone
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(study, file)
        os.replace(temporary, folder / f"{name}.json")


def _best(ranked: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """The best, few of each method: a sampler proposes much that is alike once it has found something good."""
    kept: list[dict[str, Any]] = []
    for one in ranked:
        if sum(earlier["method"] == one.spec.method for earlier in kept) < KEPT_OF_A_METHOD:
            kept.append({"method": one.spec.method, "hyperparameters": dict(one.spec.hyperparameters)})
    return kept[:KEPT_OF_A_STUDY]


def recall(
    folder: Path, situation: Situation, methods: Mapping[str, MethodSpec], tried: Sequence[Proposal] = ()
) -> tuple[Proposal, ...]:
    """The configurations to try, the best of the most similar searches first, then their second best, and so on.

    Args:
        folder: see `history_folder`.
        situation: what is searched for now.
        methods: that are searched now, by id, with the ranges of this search.
        tried: what this search tries anyway; none of it is worth a second trial.
    """
    found: list[tuple[int, str, list[Proposal]]] = []
    for path in _files(folder):
        study = _read(path)
        distance = None if study is None else situation.distance(study["situation"])
        if study is not None and distance is not None:
            found.append((distance, path.name, list(_usable(study["best"], methods))))
    found.sort(key=lambda one: one[:2])
    in_turn = (
        proposals[place] for place in range(KEPT_OF_A_STUDY) for *_, proposals in found if place < len(proposals)
    )
    distinct: list[Proposal] = []
    for proposal in in_turn:
        if proposal not in distinct and proposal not in tried:
            distinct.append(proposal)
    return tuple(distinct[:USED])


def _usable(best: Iterable[Any], methods: Mapping[str, MethodSpec]) -> Iterator[Proposal]:
    """What is a configuration of a method of this search."""
    for one in best:
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, UsageError):
            method, values = methods[one["method"]], one["hyperparameters"]
            for knob in method.knobs:
                knob.check(values[knob.name])
            yield Proposal(method.id, {knob.name: values[knob.name] for knob in method.knobs})


def _read(path: Path) -> dict[str, Any] | None:
    """A kept study with its situation; None where there is none, or the file makes no sense."""
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            return None
        study = json.loads(path.read_text(encoding="utf-8"))
        plain = study["situation"]
        texts = {name: str(plain[name]) for name in ("task", "model", "family", "data")}
        situation = Situation(**texts, parameters=int(plain["parameters"]))
        known = study["format"] == FORMAT and isinstance(study["best"], list)
        return {"situation": situation, "loss": float(study["loss"]), "best": study["best"]} if known else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json")[: 2 * MOST_FILES]
    except OSError:
        return []


def _make_room(folder: Path) -> None:
    """See that one more file stays within the bound: the oldest go."""
    dated = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            dated.append((path.stat().st_mtime, path))
    for _, path in sorted(dated)[: max(0, len(dated) - MOST_FILES + 1)]:
        if path.suffix in (".json", ".tmp"):
            path.unlink(missing_ok=True)
