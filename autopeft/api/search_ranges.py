"""The ranges that a search samples from: the catalogue's, as the rules that fire widen and narrow them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from autopeft.catalog.contents import Catalog
from autopeft.domain.facts import Facts
from autopeft.domain.knobs import Knob, Value
from autopeft.domain.methods import MethodSpec
from autopeft.recommend.advice import advised
from autopeft.recommend.engine import firing_rules
from autopeft.search.sampler import Proposal

# Method id -> knob -> least and greatest value; only where it differs from the catalogue's.
Ranges = Mapping[str, Mapping[str, tuple[float, float]]]


def rule_ranges(catalog: Catalog, facts: Facts, searched: Iterable[str], starts: Iterable[Proposal]) -> Ranges:
    """What the rules make of the ranges of the methods that are searched.

    Args:
        catalog: with methods and rules.
        facts: that the recommender was asked with.
        searched: ids of the methods.
        starts: what is tried first; a start stays within the range, whatever the rules say.
    """
    fired = firing_rules(catalog.rules.values(), facts)
    given = {start.method: start.hyperparameters for start in starts}
    methods = [catalog.methods[name] for name in searched]
    found = {method.id: _changed(method, advised(method, fired), given.get(method.id, {})) for method in methods}
    return {name: ranges for name, ranges in found.items() if ranges}


def _changed(method: MethodSpec, now: MethodSpec, start: Mapping[str, Value]) -> dict[str, tuple[float, float]]:
    ranges = {}
    for before, after in zip(method.knobs, now.knobs, strict=True):
        if (before.low, before.high) != (after.low, after.high) and after.low is not None and after.high is not None:
            given = start.get(after.name)
            bounds = [after.low, after.high, *([given] if isinstance(given, int | float) else [])]
            ranges[after.name] = min(bounds), max(bounds)
    return ranges


def with_ranges(methods: Mapping[str, MethodSpec], ranges: Ranges) -> dict[str, MethodSpec]:
    """The methods with those ranges in the place of their own."""
    return {name: _ranged(method, ranges.get(name, {})) for name, method in methods.items()}


def _ranged(method: MethodSpec, ranges: Mapping[str, tuple[float, float]]) -> MethodSpec:
    def knob_of(knob: Knob) -> Knob:
        low, high = ranges.get(knob.name, (knob.low, knob.high))
        return replace(knob, low=low, high=high)

    return replace(method, knobs=tuple(map(knob_of, method.knobs))) if ranges else method
