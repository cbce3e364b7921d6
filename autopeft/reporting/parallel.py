"""The facts of the parallel coordinates: method, hyperparameters, size and loss of each trial side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autopeft.reporting import wording
from autopeft.reporting.reading import finite
from autopeft.reporting.scale import scale, without_outliers
from autopeft.reporting.trials import TrialRow

_MOST_KNOBS = 4
_ABSENT = "not set"


@dataclass(frozen=True, slots=True)
class Column:
    """One upright axis; ticks are (place from 0 at the foot to 1 at the top, text)."""

    name: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Thread:
    """One trial's way through the columns: its place in each, as in `Column.ticks`."""

    number: int
    rank: int | None
    label: str
    places: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """All columns and threads."""

    columns: tuple[Column, ...]
    threads: tuple[Thread, ...]


def read_parallel(leaderboard: Sequence[TrialRow], losses: Mapping[int, float], rung: int | None) -> Parallel | None:
    """Trials with a loss at `rung`, the best of the leaderboard first; None with fewer than three of them."""
    rows = [row for row in leaderboard if row.number in losses]
    if len(rows) < 3:
        return None
    values: list[tuple[str, list[object]]] = [("method", [row.method for row in rows])]
    values += [(knob, [dict(row.hyperparameters).get(knob) for row in rows]) for knob in _knobs(rows)]
    values.append(("trainable", [row.trainable_parameters for row in rows]))
    values.append((f"loss at step {wording.whole(rung)}", _cut([losses[row.number] for row in rows])))
    laid = [_column(name, column) for name, column in values]
    places = zip(*(places for _, places in laid), strict=True)
    threads = [Thread(row.number, row.rank, row.label, at) for row, at in zip(rows, places, strict=True)]
    return Parallel(tuple(column for column, _ in laid), tuple(threads))


def _knobs(rows: Sequence[TrialRow]) -> list[str]:
    """The hyperparameters that most trials have and that differ between them, learning rate first."""
    set_ = [(name, str(value)) for row in rows for name, value in row.hyperparameters if value is not None]
    count = Counter(name for name, _ in set_)
    differing = [name for name in count if len({value for other, value in set_ if other == name}) > 1]
    return sorted(differing, key=lambda name: (name != "learning_rate", -count[name], name))[:_MOST_KNOBS]


def _cut(losses: list[float]) -> list[object]:
    """Far outliers are drawn at the top: they would press the others together."""
    limit = without_outliers(losses)[-1]
    return [min(loss, limit) for loss in losses]


def _column(name: str, values: Sequence[object]) -> tuple[Column, list[float]]:
    """The column, and the place of each value in it."""
    numbers = [finite(value) for value in values]
    if all(number is not None or value is None for number, value in zip(numbers, values, strict=True)):
        known = [number for number in numbers if number is not None]
        if known:
            return _of_numbers(name, numbers, known)
    texts = [_ABSENT if value is None else str(value) for value in values]
    names = sorted(set(texts), key=lambda text: (text != _ABSENT, text))
    at = {text: place / max(1, len(names) - 1) for place, text in enumerate(names)}
    return Column(name, tuple((at[text], text) for text in names)), [at[text] for text in texts]


def _of_numbers(name: str, numbers: Sequence[float | None], known: Sequence[float]) -> tuple[Column, list[float]]:
    words = wording.parameters if name == "trainable" else None
    ruler = scale(known, words, padding=0.0 if min(known) < max(known) else 0.5, count=4)
    foot = 0.14 if len(known) < len(numbers) else 0.0

    def place(value: float) -> float:
        return foot + (1 - foot) * ruler.fraction(value)

    ticks = [(place(value), text) for value, text in ruler.ticks]
    if foot:
        ticks.insert(0, (0.0, _ABSENT))
    return Column(name, tuple(ticks)), [0.0 if number is None else place(number) for number in numbers]
