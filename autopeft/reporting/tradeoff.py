"""The facts of score against cost: every trial at one rung, and which of them no other beats at both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autopeft.reporting import wording
from autopeft.reporting.reading import Record, number, records, whole
from autopeft.reporting.trials import TrialRow, trials_by_number

Words = Callable[[float | None], str]


@dataclass(frozen=True, slots=True)
class TradePoint:
    """One trial: what it cost and what it reached; `front` where none is better at both."""

    number: int
    label: str
    cost: float
    loss: float
    front: bool


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """One kind of cost.

    Attributes:
        name: of the cost, for people.
        words: a cost for people.
        base: unit in which its ticks are round.
        points: by cost, ascending.
    """

    name: str
    words: Words
    base: float
    points: tuple[TradePoint, ...]


def read_tradeoffs(
    result: Record, leaderboard: Sequence[TrialRow], losses: Mapping[int, float], rung: int | None
) -> tuple[Tradeoff, ...]:
    """Memory, parameters and time, those of them that are known for at least two trials.

    Args:
        result: the mapping.
        leaderboard: its trials.
        losses: validation loss at `rung` by trial.
        rung: the step at which most trials were compared.
    """
    seconds = {n: _seconds_to(trial, rung) for n, trial in trials_by_number(result).items()}
    costs: tuple[tuple[str, Words, float, Callable[[TrialRow], float | None]], ...] = (
        ("Peak memory", wording.size, 2.0**20, lambda row: row.measured_peak_bytes or row.predicted_peak_bytes),
        ("Trainable parameters", wording.parameters, 1.0, lambda row: row.trainable_parameters),
        (f"Time to step {wording.whole(rung)}", wording.duration, 1.0, lambda row: seconds.get(row.number)),
    )
    rows = [row for row in leaderboard if row.number in losses]
    found = [Tradeoff(name, words, base, _points(rows, losses, cost)) for name, words, base, cost in costs]
    return tuple(tradeoff for tradeoff in found if len(tradeoff.points) > 1)


def _points(
    rows: Sequence[TrialRow], losses: Mapping[int, float], cost_of: Callable[[TrialRow], float | None]
) -> tuple[TradePoint, ...]:
    known = [(cost, losses[row.number], row) for row in rows if (cost := cost_of(row))]
    points, least = [], float("inf")
    for cost, loss, row in sorted(known, key=lambda entry: (entry[0], entry[1], entry[2].number)):
        points.append(TradePoint(row.number, row.label, cost, loss, loss < least))
        least = min(least, loss)
    return tuple(points)


def _seconds_to(trial: Record, rung: int | None) -> float | None:
    spent = [number(r, "seconds") for r in records(trial, "rungs") if rung and (whole(r, "step") or rung + 1) <= rung]
    known = [seconds for seconds in spent if seconds is not None]
    return sum(known) if known else None
