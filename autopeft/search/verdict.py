"""Who won, and is it really better? Plain sentences from paired comparisons."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autopeft.domain.evaluation import standard_error

# Two-sided 95 % under the normal distribution.
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Comparison:
    """The winner against another, on the same rows.

    Attributes:
        difference: in the metric's unit; above 0 means that the winner is better.
        half_width: of the 95 % interval of the difference.
    """

    difference: float
    half_width: float

    @property
    def tie(self) -> bool:
        """Whether the interval holds 0."""
        return abs(self.difference) <= self.half_width

    def to_dict(self, metric: str) -> dict[str, float | str]:
        """`winner_lead` in result.json; `metric` is what single rows are compared by."""
        return {"metric": metric, "difference": self.difference, "half_width": self.half_width}


def compare(winner: Sequence[float], other: Sequence[float]) -> Comparison:
    """Paired over rows.

    Args:
        winner: a score for each row, more being better, as `Evaluation.row_scores` gives them.
        other: likewise, of the same rows in the same order.
    """
    differences = [mine - theirs for mine, theirs in zip(winner, other, strict=True)]
    return Comparison(math.fsum(differences) / len(differences), NORMAL_95 * standard_error(differences))


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry of the confirm stage, as far as choosing the winner goes.

    Attributes:
        index: its place in the list.
        values: the validation metric of every full-length run.
        row_scores: of every validation row, the mean over those runs.
        cost: what decides a tie, less being better; must not depend on a clock.
    """

    index: int
    values: tuple[float, ...]
    row_scores: tuple[float, ...]
    cost: float


def choose_winner(standings: Sequence[Standing], *, maximize: bool) -> tuple[int | None, list[int]]:
    """The index of the winner and those it ties with.

    Entries with the most finished seeds are compared by their mean. Whatever lies within one standard error of
    the difference from the best, paired over validation rows, is a tie, which goes to the cheapest.
    """
    seeds = max((len(standing.values) for standing in standings), default=0)
    if seeds == 0:
        return None, []
    full = [standing for standing in standings if len(standing.values) == seeds]
    sign = 1 if maximize else -1

    def mean(standing: Standing) -> float:
        return sign * math.fsum(standing.values) / seeds

    best = max(full, key=lambda s: (mean(s), -s.cost, -s.index))
    # On the rows, in whose unit the error is: the metric itself may have another.
    tied = [s for s in full if _lead(best, s, mean(best) - mean(s)) <= _paired_error(best, s)]
    winner = min(tied, key=lambda s: (s.cost, -mean(s), s.index))
    return winner.index, [s.index for s in tied if s.index != winner.index]


def _lead(best: Standing, other: Standing, by_metric: float) -> float:
    """By how much `best` is ahead, more being better: over the rows where they are known."""
    if not best.row_scores or not other.row_scores:
        return by_metric
    return compare(best.row_scores, other.row_scores).difference


def _paired_error(one: Standing, other: Standing) -> float:
    """Standard error of the difference of two means over the same rows; 0 where rows are not known."""
    if not one.row_scores or not other.row_scores:
        return 0.0
    return standard_error([mine - theirs for mine, theirs in zip(one.row_scores, other.row_scores, strict=True)])


def sentence(name: str, other: str, comparison: Comparison, metric: str) -> str:
    """One sentence: better, worse or a tie, with the interval."""
    interval = f"difference {comparison.difference:+.3f} ± {comparison.half_width:.3f} {metric}, 95 % interval"
    if comparison.tie:
        return f"{name} and {other} are a tie on the test split ({interval})."
    word = "better" if comparison.difference > 0 else "worse"
    return f"{name} is {word} than {other} on the test split ({interval})."
