"""The score, term by term: rules, the prior of controls, predicted memory and predicted compute.

    score = sum of the rules' points                    (search_spaces/rules/, each with its source)
          - 3 for a control                             (a control is a baseline to compare with)
          - 3 for a method that no rule speaks about    (nothing is known of how it compares)
          - w_memory  * log2(memory / leanest memory)
          - w_compute * log2(time of a step / shortest; where no device is named: operations / fewest)

The rules' points follow findings. The two weights and the 3s are conventions of this ranking and no findings:
one doubling of compute weighs as much as one point, memory half of it since what is ranked fits already;
`--priority` shifts them. Both ratios compare with the cheapest candidate in the same answer, so scores
compare within one answer only.
"""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from autopeft.domain.memory import MemoryEstimate
from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Reason
from autopeft.recommend.options import Priority

TRACED: Final = "predicted by tracing one training step"
CONVENTION: Final = "convention of the ranking"
CONTROL_POINTS: Final = -3.0
UNPROVEN_POINTS: Final = -3.0
# priority -> points per doubling of memory and of compute.
COST_WEIGHTS: Final[Mapping[Priority | None, tuple[float, float]]] = {
    None: (0.5, 1.0),
    "quality": (0.25, 0.5),
    "memory": (2.0, 0.5),
    "speed": (0.25, 2.0),
}

# Reasons that come from no rule file: what `autopeft explain` says about them.
TERMS: Final[Mapping[str, str]] = {
    "memory": "Predicted reserved memory against the leanest candidate; each doubling costs half a point "
    "unless --priority says otherwise. Among the excluded methods: it needs more than the budget.",
    "compute": "Predicted floating point operations of a step against the cheapest candidate; each doubling "
    "costs a point unless --priority says otherwise.",
    "time": "Predicted seconds of a step on the named device against the fastest candidate; each doubling costs "
    "a point unless --priority says otherwise. Stands in for compute where a device is named.",
    "control": "Full fine-tuning and head-only training are baselines that a search compares its winner "
    "with; they start three points down unless a rule raises them.",
    "unproven": "No finding of the catalogue says how the method compares with others; it starts three points "
    "down rather than as if it were average.",
    "catalog": "The method's own entry in the catalogue rules out this task or architecture.",
    "unknown": "The method could not be estimated here; it is neither recommended nor ruled out.",
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A method with its estimate and every term of its score."""

    method: MethodSpec
    estimate: MemoryEstimate
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> float:
        """The sum of the reasons' points."""
        return math.fsum(reason.score for reason in self.reasons)


def score_methods(
    estimated: Sequence[tuple[MethodSpec, MemoryEstimate]],
    verdicts: Mapping[str, tuple[Reason, ...]],
    priority: Priority | None,
    unproven: Container[str] = (),
) -> list[Scored]:
    """The methods with all terms of their scores, the best first; equal scores by memory, then by id.

    Args:
        estimated: the methods that are ranked.
        verdicts: method id -> what the rules say.
        priority: shifts the weights of the cost terms.
        unproven: ids of methods that no rule speaks about.
    """
    if not estimated:
        return []
    compared = [pair for pair in estimated if pair[0].role == "candidate"] or list(estimated)
    leanest = min(compared, key=lambda pair: pair[1].reserved_bytes)
    timed = all(estimate.seconds_per_step is not None for _, estimate in estimated)
    fastest = min(compared, key=lambda pair: _effort(pair[1], timed))
    weights = COST_WEIGHTS[priority]
    scored = [
        Scored(
            method,
            estimate,
            verdicts.get(method.id, ())
            + _control(method)
            + _unproven(method, unproven)
            + _cost("memory", estimate.reserved_bytes, leanest[1].reserved_bytes, leanest[0].title, weights[0])
            + _cost(
                "time" if timed else "compute",
                _effort(estimate, timed),
                _effort(fastest[1], timed),
                fastest[0].title,
                weights[1],
            ),
        )
        for method, estimate in estimated
    ]
    return sorted(scored, key=lambda one: (-round(one.score, 9), one.estimate.reserved_bytes, one.method.id))


def _control(method: MethodSpec) -> tuple[Reason, ...]:
    if method.role != "control":
        return ()
    return (Reason("control", "A baseline to compare with rather than a recommendation.", CONVENTION, CONTROL_POINTS),)


def _unproven(method: MethodSpec, unproven: Container[str]) -> tuple[Reason, ...]:
    if method.id not in unproven or method.role == "control":
        return ()
    return (Reason("unproven", "No finding compares it with other methods.", CONVENTION, UNPROVEN_POINTS),)


def _effort(estimate: MemoryEstimate, timed: bool) -> float:
    """Seconds of a step where all are known, else its operations."""
    return (estimate.seconds_per_step or 0.0) if timed else float(estimate.step_flops)


def _cost(term: str, amount: float, least: float, cheapest: str, weight: float) -> tuple[Reason, ...]:
    if amount <= 0 or least <= 0:
        return ()
    doublings = math.log2(amount / least)
    what = {"memory": "memory", "time": "time per step", "compute": "compute per step"}[term]
    text = f"{amount / least:.2f} times the {what} of {cheapest}."
    if amount == least:
        text = f"The least {what} among the candidates."
    return (Reason(term, text, TRACED, -weight * doublings),)
