"""The score, term by term: rules, the prior of controls, predicted memory and predicted compute.

    score = sum of the rules' points                    (search_spaces/rules/, each with its source)
          - 3 for a control                             (a control is a baseline to compare with)
          - w_memory  * log2(memory / leanest memory)
          - w_compute * log2(operations / fewest operations)

The rules' points follow findings. The two weights and the 3 are conventions of this ranking and no findings:
one doubling of compute weighs as much as one point, memory half of it since what is ranked fits already;
`--priority` shifts them. Both ratios compare with the cheapest candidate in the same answer, so scores
compare within one answer only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from autopeft.domain.memory import MemoryEstimate
from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Reason
from autopeft.recommend.options import Priority

TRACED: Final = "predicted by tracing one training step"
CONVENTION: Final = "convention of the ranking"
CONTROL_POINTS: Final = -3.0
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
    "control": "Full fine-tuning and head-only training are baselines that a search compares its winner "
    "with; they start three points down unless a rule raises them.",
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
) -> list[Scored]:
    """The methods with all terms of their scores, the best first; equal scores by memory, then by id.

    Args:
        estimated: the methods that are ranked.
        verdicts: method id -> what the rules say.
        priority: shifts the weights of the cost terms.
    """
    if not estimated:
        return []
    compared = [pair for pair in estimated if pair[0].role == "candidate"] or list(estimated)
    leanest = min(compared, key=lambda pair: pair[1].reserved_bytes)
    fastest = min(compared, key=lambda pair: pair[1].step_flops)
    weights = COST_WEIGHTS[priority]
    scored = [
        Scored(
            method,
            estimate,
            verdicts.get(method.id, ())
            + _control(method)
            + _cost("memory", estimate.reserved_bytes, leanest[1].reserved_bytes, leanest[0].title, weights[0])
            + _cost("compute", estimate.step_flops, fastest[1].step_flops, fastest[0].title, weights[1]),
        )
        for method, estimate in estimated
    ]
    return sorted(scored, key=lambda one: (-round(one.score, 9), one.estimate.reserved_bytes, one.method.id))


def _control(method: MethodSpec) -> tuple[Reason, ...]:
    if method.role != "control":
        return ()
    return (Reason("control", "A baseline to compare with rather than a recommendation.", CONVENTION, CONTROL_POINTS),)


def _cost(term: str, amount: int, least: int, cheapest: str, weight: float) -> tuple[Reason, ...]:
    if amount <= 0 or least <= 0:
        return ()
    doublings = math.log2(amount / least)
    what = "memory" if term == "memory" else "compute per step"
    text = f"{amount / least:.2f} times the {what} of {cheapest}."
    if amount == least:
        text = f"The least {what} among the candidates."
    return (Reason(term, text, TRACED, -weight * doublings),)
