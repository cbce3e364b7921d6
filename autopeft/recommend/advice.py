"""What the fired rules do to a method's hyperparameters: other starting values, wider and narrower ranges."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from autopeft.domain.knobs import Knob, Value
from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Effect, Rule
from autopeft.domain.selectors import means


def advised(method: MethodSpec, fired: Iterable[Rule]) -> MethodSpec:
    """The method with the starts and ranges that the rules in `fired` give it.

    Ranges come first, whatever the order of the rules; a start lies within the range in the end. A range that several
    rules narrow is what all of them allow.

    Args:
        method: of the catalogue.
        fired: rules whose condition holds.
    """
    effects = [effect for rule in fired for effect in rule.effects if effect.knob and means(effect, method)]
    if not effects:
        return method
    return replace(method, knobs=tuple(_turned(knob, effects) for knob in method.knobs))


def changes(effect: Effect, method: MethodSpec) -> bool:
    """Whether an effect on a knob would give the method another start or range."""
    return any(_turned(knob, [effect]) != knob for knob in method.knobs)


def _turned(knob: Knob, given: Sequence[Effect]) -> Knob:
    effects = [effect for effect in given if effect.knob == knob.name]
    for kind in ("widen", "narrow"):
        for effect in effects:
            if effect.kind == kind:
                knob = _ranged(knob, effect)
    for effect in effects:
        if effect.kind == "set" and effect.value is not None:
            knob = replace(knob, default=_within(knob, effect.value), size_defaults=())
    return knob


def _ranged(knob: Knob, effect: Effect) -> Knob:
    """The knob with the effect's bounds and every start moved into them; a bound that is not stated stays."""
    wider = effect.kind == "widen"
    lows = [bound for bound in (knob.low, effect.low) if bound is not None]
    highs = [bound for bound in (knob.high, effect.high) if bound is not None]
    ranged = replace(
        knob,
        low=(min if wider else max)(lows, default=None),
        high=(max if wider else min)(highs, default=None),
    )
    starts = tuple((limit, _within(ranged, value)) for limit, value in knob.size_defaults)
    return replace(ranged, default=_within(ranged, knob.default), size_defaults=starts)


def _within(knob: Knob, value: Value) -> Value:
    """The value, or the bound that it lies beyond."""
    if isinstance(value, bool | str) or knob.low is None or knob.high is None:
        return value
    bounded = min(max(value, knob.low), knob.high)
    return int(bounded) if knob.kind == "int" else float(bounded)
