"""What published measurements say about a method's quality in a situation, and how sure that is.

A measurement counts by its effect: how the odds of a right answer compare with LoRA's in the same comparison, in
doublings. A method's expected effect is the mean of its effects, weighted as `autopeft.recommend.weighting` says,
together with one weak expectation that holds for a method which nobody has measured:

    expected = (sum of weight * effect + PRIOR_WEIGHT * prior) / (sum of weight + PRIOR_WEIGHT)
    prior    = slope * log10(trained weights / LoRA's), where fewer, - what a foreign learning rate costs
    sd       = ROW_SD / sqrt(sum of weight + PRIOR_WEIGHT)

The slope is fitted to the measurements near: what one tenth of the trained weights cost there. A method without near
measurements of its own takes those of its variants (the same implementation), at half their weight. What is left then
is unknown, and said to be.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from autopeft.domain.evidence import Comparison, Evidence, Measurement
from autopeft.domain.methods import MethodSpec
from autopeft.domain.recommendation import Basis
from autopeft.recommend.nearness import RATE_DECADES, Situation, bell
from autopeft.recommend.weighting import one_voice, precision

REFERENCE: Final = "lora"
# Doublings of the odds that a comparison can show; a failed run counts as the worst, and tells of its settings as much
# as of its method.
MOST_DOUBLINGS: Final = 3.0
FAILED: Final = 0.5
# One place in an order without figures, in doublings.
ORDER_STEP: Final = 0.25
# Over the tables of this catalogue, effects of one method differ between comparisons by 0.45 doublings, and the means
# of the methods by 0.46 (failed runs apart): so the weak expectation counts like one measurement.
ROW_SD: Final = 0.45
PRIOR_WEIGHT: Final = 1.0
VARIANT: Final = 0.5
RECALLED: Final = 0.5
# Total nearness from which a method is no longer unknown.
NEAR: Final = 0.25
# Doublings that a learning rate costs which is a power of ten off the method's own.
RATE_COST: Final = 1.0
_LEAST_SHARE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Sighting:
    """One measurement, read from where we stand.

    Attributes:
        table: that it stands in.
        comparison: within the table.
        measurement: the figure; its value is 0 where only an order is known.
        effect: doublings of the odds against LoRA's in the same comparison.
        weight: its nearness, 0 to 1, before the learning rate is looked at.
        reference: LoRA's own figure there; None where only an order is known.
        fewer: log10 of trained weights over LoRA's there, at most 0; None where not stated.
    """

    table: Evidence
    comparison: Comparison
    measurement: Measurement
    effect: float
    weight: float
    reference: float | None
    fewer: float | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """A method's expected quality against LoRA's, in doublings of the odds.

    Attributes:
        mean: the expected effect.
        sd: its standard deviation.
        basis: near (measured), variant (only its variants were), or unknown.
        parts: what adds up to `mean`: each sighting with its share.
        capacity: the share of the number of trained weights.
        rate: the share of a foreign learning rate.
        total_weight: of the sightings.
    """

    mean: float
    sd: float
    basis: Basis
    parts: tuple[tuple[Sighting, float], ...]
    capacity: float
    rate: float
    total_weight: float


class Quality:
    """The evidence, read for one situation.

    Args:
        evidence: tables of published measurements.
        situation: what is asked.
        methods: of the catalogue; their implementations say which are variants of each other.
        base_parameters: size of the base model, which starting learning rates go by.
    """

    def __init__(self, evidence: Iterable[Evidence], situation: Situation, methods: Mapping[str, MethodSpec]) -> None:
        self._situation = situation
        self._methods = methods
        self._by_method: dict[str, list[Sighting]] = {}
        for sighting in _sightings(evidence, situation):
            self._by_method.setdefault(sighting.measurement.method, []).append(sighting)
        self.slope = _slope([one for found in self._by_method.values() for one in found])

    def expect(self, method: MethodSpec, fewer: float | None) -> Expectation:
        """What to expect of `method`.

        Args:
            method: of the catalogue.
            fewer: log10 of its trained weights over LoRA's here; None where unknown.
        """
        weighted, basis = self._weighted(method)
        total = math.fsum(weight for _, weight in weighted)
        whole = total + PRIOR_WEIGHT
        parts = tuple((one, weight * one.effect / whole) for one, weight in weighted)
        capacity = PRIOR_WEIGHT * self.slope * min(fewer or 0.0, 0.0) / whole
        rate = -PRIOR_WEIGHT * RATE_COST * self._decades_off(method) / whole
        mean = math.fsum([*(share for _, share in parts), capacity, rate])
        return Expectation(mean, ROW_SD / math.sqrt(whole), basis, parts, capacity, rate, total)

    def tables_on(self, method: MethodSpec) -> frozenset[str]:
        """Ids of the tables whose measurements count for the method."""
        return frozenset(one.table.id for one, weight in self._weighted(method)[0] if weight > 0)

    def _weighted(self, method: MethodSpec) -> tuple[list[tuple[Sighting, float]], Basis]:
        found, basis = self._near(method)
        return one_voice([(one, one.table.campaign, precision(nearness)) for one, nearness in found]), basis

    def _near(self, method: MethodSpec) -> tuple[list[tuple[Sighting, float]], Basis]:
        """The measurements that tell of the method, each with its nearness."""
        own = self._counted(method.id, method, 1.0)
        if math.fsum(nearness for _, nearness in own) >= NEAR:
            return own, "near"
        variants = [one.id for one in self._methods.values() if one.builder == method.builder and one.id != method.id]
        akin = [pair for name in variants for pair in self._counted(name, method, VARIANT)]
        if math.fsum(nearness for _, nearness in own + akin) >= NEAR:
            return own + akin, "variant"
        return own, "unknown"

    def _counted(self, name: str, asked: MethodSpec, factor: float) -> list[tuple[Sighting, float]]:
        rate = self._situation.learning_rate or self._own_rate(asked)
        found = []
        for one in self._by_method.get(name, ()):
            measured_at = one.measurement.learning_rate or self._own_rate(asked)
            off = bell(measured_at / rate, RATE_DECADES) if rate and measured_at else 1.0
            found.append((one, one.weight * factor * off))
        return found

    def _own_rate(self, method: MethodSpec) -> float | None:
        described = self._methods.get(method.id, method)
        rate = described.start(self._situation.model_parameters).get("learning_rate")
        return rate if isinstance(rate, float) else None

    def _decades_off(self, method: MethodSpec) -> float:
        asked, own = self._situation.learning_rate, self._own_rate(method)
        return abs(math.log10(asked / own)) if asked and own else 0.0


def _sightings(evidence: Iterable[Evidence], situation: Situation) -> Iterable[Sighting]:
    for table in evidence:
        trust = 1.0 if table.status == "verified" else RECALLED
        for comparison in table.comparisons:
            weight = situation.weight_of(comparison) * trust
            yield from _of_order(table, comparison, weight)
            yield from _of_figures(table, comparison, weight)


def _of_order(table: Evidence, comparison: Comparison, weight: float) -> Iterable[Sighting]:
    places = {name: place for place, tied in enumerate(comparison.order) for name in tied}
    for name, place in places.items():
        effect = (places[REFERENCE] - place) * ORDER_STEP
        yield Sighting(table, comparison, Measurement(name, 0.0), effect, weight, None, None)


def _of_figures(table: Evidence, comparison: Comparison, weight: float) -> Iterable[Sighting]:
    references = [one for one in comparison.measurements if one.method == REFERENCE]
    if not references:
        return
    best = max(references, key=lambda one: one.value)
    for one in comparison.measurements:
        fewer = None
        if one.trainable_parameters and best.trainable_parameters:
            fewer = min(0.0, math.log10(one.trainable_parameters / best.trainable_parameters))
        effect = doublings(one.value, best.value)
        likeness = one.likeness * (FAILED if one.value == 0 else 1.0)
        yield Sighting(table, comparison, one, effect, weight * likeness, best.value, fewer)


def doublings(value: float, reference: float) -> float:
    """The odds of a right answer against the reference's, in doublings, within what a comparison can show.

    Args:
        value: a share from 0 to 1.
        reference: another.
    """
    found = _log_odds(value) - _log_odds(reference)
    return max(-MOST_DOUBLINGS, min(MOST_DOUBLINGS, found))


def _log_odds(share: float) -> float:
    kept = min(max(share, _LEAST_SHARE), 1 - _LEAST_SHARE)
    return math.log2(kept / (1 - kept))


def _slope(sightings: Sequence[Sighting]) -> float:
    """Doublings lost with each tenth of the trained weights, by weighted least squares through LoRA; at least 0.

    Failed runs tell of a wrong setting and not of too few weights; they are left out.
    """
    used = [one for one in sightings if one.fewer is not None and one.effect > -MOST_DOUBLINGS]
    products = math.fsum(one.weight * (one.fewer or 0.0) * one.effect for one in used)
    squares = math.fsum(one.weight * (one.fewer or 0.0) ** 2 for one in used)
    return max(0.0, products / (squares + PRIOR_WEIGHT))
