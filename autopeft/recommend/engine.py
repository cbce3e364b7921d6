"""Which rules fire, and what they do to a method."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from autopeft.domain.expression import Expression, parse_expression
from autopeft.domain.facts import Facts
from autopeft.domain.methods import MethodSpec, Source
from autopeft.domain.rules import Effect, Reason, Rule
from autopeft.domain.selectors import means
from autopeft.recommend.advice import changes

_SIGN = {"prefer": 1.0, "penalise": -1.0}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the fired rules say about one method.

    Attributes:
        reasons: of every effect that leaves it in, each with its score.
        exclusions: why the method cannot be used at all.
    """

    reasons: tuple[Reason, ...]
    exclusions: tuple[Reason, ...]


def firing_rules(rules: Iterable[Rule], facts: Facts) -> tuple[Rule, ...]:
    """The rules whose condition holds, in the given order.

    Raises:
        CatalogError: a condition cannot be read.
    """
    return tuple(rule for rule in rules if _condition(rule.when).holds(facts))


def judge(method: MethodSpec, fired: Iterable[Rule]) -> Verdict:
    """What the rules in `fired` say about `method`, as the catalogue describes it.

    A rule about a knob is told only where it changes the start or the range.
    """
    reasons: list[Reason] = []
    exclusions: list[Reason] = []
    for rule in fired:
        for effect in rule.effects:
            if effect.kind == "require":
                exclusions += [] if means(effect, method) else [reason_of(rule, effect)]
            elif means(effect, method) and (not effect.knob or changes(effect, method)):
                (exclusions if effect.kind == "exclude" else reasons).append(reason_of(rule, effect))
    return Verdict(tuple(reasons), tuple(exclusions))


def reason_of(rule: Rule, effect: Effect) -> Reason:
    """The reason that a fired rule gives, with its signed score; a prior's points count by its confidence."""
    recalled = "" if rule.status == "verified" else "prior, not checked against the source: "
    points = _SIGN.get(effect.kind, 0.0) * effect.weight * rule.confidence
    return Reason(rule.id, rule.because, recalled + source_text(rule.source), points)


def source_text(source: Source) -> str:
    """A source in one line."""
    return f"{source.ref}, {source.where}" if source.where else source.ref


@lru_cache(maxsize=1024)
def _condition(text: str) -> Expression:
    return parse_expression(text)
