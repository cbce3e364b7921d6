"""Rules that cannot both be followed: in one situation they say of one method what excludes each other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

from autopeft.catalog.problems import Problem
from autopeft.catalog.rule_checks import PlacedRule
from autopeft.domain.expression import Expression, parse_expression
from autopeft.domain.facts import Facts
from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Effect
from autopeft.domain.selectors import means
from autopeft.domain.situations import common_situation
from autopeft.errors import CatalogError


@dataclass(frozen=True, slots=True)
class _Told:
    """One effect of one rule, and the methods that it means."""

    one: PlacedRule
    number: int
    effect: Effect
    meant: frozenset[str]


def conflicts(rules: Sequence[PlacedRule], methods: Sequence[MethodSpec]) -> list[Problem]:
    """A problem for each pair of effects that contradict each other where both rules fire."""
    conditions = _conditions(rules)
    told = [_told(one, number, methods) for one in rules if one.rule.when in conditions for number in _arguable(one)]
    problems = []
    for first, second in combinations_with_replacement(told, 2):
        what = "" if first is second else _contradiction(first, second)
        if what:
            both = {first.one.rule.when, second.one.rule.when}
            situation = common_situation([conditions[when] for when in sorted(both)])
            if situation is not None:
                problems.append(_problem(first, second, what, situation))
    return problems


def _conditions(rules: Iterable[PlacedRule]) -> Mapping[str, Expression]:
    """Those conditions that can be read; the others are a problem already."""
    found = {}
    for one in rules:
        try:
            found[one.rule.when] = parse_expression(one.rule.when)
        except CatalogError:
            continue
    return found


def _arguable(one: PlacedRule) -> Iterable[int]:
    """The effects that something can contradict: of likes and dislikes only those of one rule."""
    effects = one.rule.effects
    torn = {"prefer", "penalise"} <= {effect.kind for effect in effects}
    for number, effect in enumerate(effects):
        if effect.ground or effect.knob or (torn and effect.kind in ("prefer", "penalise")):
            yield number


def _told(one: PlacedRule, number: int, methods: Sequence[MethodSpec]) -> _Told:
    effect = one.rule.effects[number]
    meant = frozenset(method.id for method in methods if means(effect, method))
    return _Told(one, number, effect, meant)


def _problem(first: _Told, second: _Told, what: str, situation: Facts) -> Problem:
    facts = ", ".join(f"{name}: {value}" for name, value in situation.items() if value is not None)
    other = second.one.file
    there = f"{other.shown}:{other.line(('rules', second.one.index, 'effects', second.number))}"
    text = f"contradicts {second.one.rule.id} ({there}): {what}; both hold with {facts}"
    return first.one.problem(text, "effects", first.number)


def _contradiction(first: _Told, second: _Told) -> str:
    """What the two effects say that cannot both be; empty where they can be followed together."""
    kinds = first.effect.kind, second.effect.kind
    if kinds == ("exclude", "require"):
        first, second, kinds = second, first, ("require", "exclude")
    if kinds in _VERDICTS:
        return _VERDICTS[kinds](first, second)
    shared = sorted(first.meant & second.meant)
    if not shared or not first.effect.knob or first.effect.knob != second.effect.knob:
        return ""
    return _unmet_knob(first.effect, second.effect, shared[0])


def _required_and_excluded(first: _Told, second: _Told) -> str:
    named = set(first.effect.methods) & set(second.effect.methods) & first.meant & second.meant
    if named:
        return f"{min(named)} is required and excluded"
    return "everything that is required is excluded" if first.meant and first.meant <= second.meant else ""


def _required_apart(first: _Told, second: _Told) -> str:
    apart = first.meant and second.meant and not first.meant & second.meant
    return "no method is both required here and required there" if apart else ""


def _for_and_against(first: _Told, second: _Told) -> str:
    same = first.one is second.one and first.meant & second.meant
    return f"{min(same)} is preferred and penalised by one rule" if same else ""


_VERDICTS: Mapping[tuple[str, str], Callable[[_Told, _Told], str]] = {
    ("require", "exclude"): _required_and_excluded,
    ("require", "require"): _required_apart,
    ("prefer", "penalise"): _for_and_against,
    ("penalise", "prefer"): _for_and_against,
}


def _unmet_knob(first: Effect, second: Effect, method: str) -> str:
    """Why one knob of one method cannot obey both."""
    if first.kind == second.kind == "set":
        if first.value == second.value:
            return ""
        return f"{method}: {first.knob} starts at {first.value} and at {second.value}"
    if {first.kind, second.kind} == {"widen", "narrow"}:
        sides = [side for side in ("low", "high") if getattr(first, side) is not None is not getattr(second, side)]
        return f"{method}: the range of {first.knob} is widened and narrowed" if sides else ""
    lowest = max(_lowest(first), _lowest(second))
    highest = min(_highest(first), _highest(second))
    if "widen" in (first.kind, second.kind) or lowest <= highest:
        return ""
    return f"{method}: {first.knob} would have to be at least {lowest:g} and at most {highest:g}"


def _lowest(effect: Effect) -> float:
    """The least value that the effect allows."""
    bound = effect.value if effect.kind == "set" else effect.low
    return float(bound) if isinstance(bound, int | float) else float("-inf")


def _highest(effect: Effect) -> float:
    """The greatest value that the effect allows."""
    bound = effect.value if effect.kind == "set" else effect.high
    return float(bound) if isinstance(bound, int | float) else float("inf")
