"""The score, term by term: evidence, rules, and predicted memory, time and size.

    score = w_quality * (evidence + rules)
          - w_memory * log2(memory / leanest)
          - w_speed  * log2(time of a step / shortest; where no device is named: operations / fewest)
          - w_size   * log2(adapter / smallest)
          - 3 for a control, unless an objective is named    (a control is a baseline to compare with)

Evidence is the expected quality of `autopeft.recommend.quality`, less a share of its standard deviation: what is
unknown is ranked by what it may turn out to be. Where only one configuration is tried there is no second chance, so
what counts is the lower 95 % bound; more trials find a disappointment out, so the share falls with their square root,
as the error of a mean does. One doubling of the odds of a right answer weighs two points, as much as two doublings of
compute. The weights of the objective (`autopeft.recommend.objective`) and the 3 are conventions. Ratios compare with
the cheapest candidate of the same answer, so scores compare within one answer only.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from autopeft.domain.memory import MemoryEstimate
from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Reason
from autopeft.recommend.evidence_terms import evidence_terms
from autopeft.recommend.objective import Objective, Weights
from autopeft.recommend.quality import REFERENCE, Expectation, Quality

TRACED: Final = "predicted by tracing one training step"
CONVENTION: Final = "convention of the ranking"
CONTROL_POINTS: Final = -3.0
# Standard deviations that count against a method where there is one trial: the lower 95 % bound of a normal one.
CAUTION_AT_ONE: Final = 1.645
# Fewer trained weights than this share of LoRA's are not told apart.
_FEWEST_DECADES: Final = -4.0
# Adapters are kept in float32.
ADAPTER_BYTES_PER_PARAMETER: Final = 4

# Reasons that come from no rule file: what `autopeft explain` says about them.
TERMS: Final[Mapping[str, str]] = {
    "memory": "Predicted reserved memory against the leanest candidate; each doubling costs half a point "
    "unless --objective says otherwise. Among the excluded methods: it needs more than the budget.",
    "compute": "Predicted floating point operations of a step against the cheapest candidate; each doubling "
    "costs a point unless --objective says otherwise.",
    "time": "Predicted seconds of a step on the named device against the fastest candidate; each doubling costs "
    "a point unless --objective says otherwise. Stands in for compute where a device is named.",
    "size": "The saved adapter against the smallest among the candidates; counts only where --objective says so.",
    "control": "Full fine-tuning and head-only training are baselines that a search compares its winner "
    "with; they start three points down unless a rule raises them or --objective names what counts.",
    "capacity": "Fewer trained weights than LoRA's. Among the published runs near, each tenth of them cost some of "
    "the odds of a right answer; this counts the more, the less is known of the method itself.",
    "learning-rate": "Only one learning rate will be tried, and it is not the method's own; each power of ten between "
    "them costs a doubling of the odds, the more, the less is known of the method there.",
    "uncertainty": "How far the quality may lie below what is expected, two points for each doubling of the odds: the "
    "lower 95 % bound where one configuration is tried, and less with the square root of the trials. "
    "A method that nobody measured near has the largest: it is unknown, not average.",
    "precision": "The base is quantised to 4 bits (NF4), since in its own precision the method does not fit.",
    "requirement": "A hard requirement (--require) rules the method out.",
    "catalog": "The method's own entry in the catalogue rules out this task or architecture.",
    "unknown": "The method could not be estimated here; it is neither recommended nor ruled out.",
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A method with its estimate, every term of its score, and what its quality is expected to be."""

    method: MethodSpec
    estimate: MemoryEstimate
    reasons: tuple[Reason, ...]
    expectation: Expectation

    @property
    def score(self) -> float:
        """The sum of the reasons' points."""
        return math.fsum(reason.score for reason in self.reasons)


def score_methods(
    estimated: Sequence[tuple[MethodSpec, MemoryEstimate]],
    verdicts: Mapping[str, tuple[Reason, ...]],
    quality: Quality,
    objective: Objective,
    *,
    trials: int,
) -> list[Scored]:
    """The methods with all terms of their scores, the best first; equal scores by memory, then by id.

    Args:
        estimated: the methods that are ranked.
        verdicts: method id -> what the rules say.
        quality: what has been measured near.
        objective: the weights.
        trials: configurations that will be tried; the fewer, the more an uncertainty counts.
    """
    if not estimated:
        return []
    costs = _costs(estimated, objective.weights)
    lora = next((estimate.adapter_parameters for method, estimate in estimated if method.id == REFERENCE), None)
    scored = []
    for method, estimate in estimated:
        expectation = quality.expect(method, _fewer(estimate, lora))
        said = verdicts.get(method.id, ()) + evidence_terms(expectation, _caution(trials))
        kept = tuple(replace(one, score=one.score * objective.weights.quality) for one in said)
        terms = kept + _control(method, objective) + tuple(cost(estimate) for cost in costs)
        scored.append(Scored(method, estimate, terms, expectation))
    return sorted(scored, key=lambda one: (-round(one.score, 9), one.estimate.reserved_bytes, one.method.id))


def _caution(trials: int) -> float:
    return CAUTION_AT_ONE / math.sqrt(max(1, trials))


def adapter_bytes(estimate: MemoryEstimate) -> int:
    """What the trained weights take on disk, without a task head."""
    return ADAPTER_BYTES_PER_PARAMETER * estimate.adapter_parameters


def _fewer(estimate: MemoryEstimate, lora: int | None) -> float | None:
    """log10 of the trained weights over LoRA's; None where LoRA is not among the candidates."""
    if not lora:
        return None
    share = estimate.adapter_parameters / lora
    return max(_FEWEST_DECADES, math.log10(share)) if share > 0 else _FEWEST_DECADES


def _control(method: MethodSpec, objective: Objective) -> tuple[Reason, ...]:
    if method.role != "control" or objective.priority is not None:
        return ()
    return (Reason("control", "A baseline to compare with rather than a recommendation.", CONVENTION, CONTROL_POINTS),)


Cost = Callable[[MemoryEstimate], Reason]


def _costs(estimated: Sequence[tuple[MethodSpec, MemoryEstimate]], weights: Weights) -> list[Cost]:
    """The cost terms that count, each against the cheapest candidate that is no control."""
    compared = [pair for pair in estimated if pair[0].role == "candidate"] or list(estimated)
    timed = all(estimate.seconds_per_step is not None for _, estimate in estimated)
    terms: list[tuple[str, float, Callable[[MemoryEstimate], float]]] = [
        ("memory", weights.memory, lambda one: one.reserved_bytes),
        ("time", weights.speed, lambda one: one.seconds_per_step or 0.0)
        if timed
        else ("compute", weights.speed, lambda one: one.step_flops),
    ]
    if weights.size:
        terms.append(("size", weights.size, lambda one: max(1, one.adapter_parameters)))
    costs = []
    for term, weight, amount in terms:
        cheapest = min(compared, key=lambda pair: amount(pair[1]))
        costs.append(_cost(term, weight, amount, cheapest))
    return costs


def _cost(
    term: str, weight: float, amount: Callable[[MemoryEstimate], float], cheapest: tuple[MethodSpec, MemoryEstimate]
) -> Cost:
    what = {"memory": "memory", "time": "time per step", "compute": "compute per step", "size": "adapter's size"}[term]
    least = amount(cheapest[1])

    def reason(estimate: MemoryEstimate) -> Reason:
        ratio = amount(estimate) / least if least > 0 and amount(estimate) > 0 else 1.0
        text = f"The least {what} among the candidates."
        if ratio != 1.0:
            text = f"{ratio:.2f} times the {what} of {cheapest[0].title}."
        return Reason(term, text, TRACED, -weight * math.log2(ratio))

    return reason
