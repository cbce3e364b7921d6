"""Which rules fire, and what they do to a method."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from autopeft.domain.expression import Expression, parse_expression
from autopeft.domain.facts import Facts
from autopeft.domain.methods import MethodSpec, Source
from autopeft.domain.rules import Effect, Reason, Rule

_SIGN = {"prefer": 1.0, "penalise": -1.0, "note": 0.0, "exclude": 0.0}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the fired rules say about one method.

    Attributes:
        reasons: of prefer, penalise and note, each with its score.
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
    """What the rules in `fired` say about `method`."""
    found = [
        (effect.kind, reason_of(rule, effect)) for rule in fired for effect in rule.effects if names(effect, method)
    ]
    return Verdict(
        tuple(reason for kind, reason in found if kind != "exclude"),
        tuple(reason for kind, reason in found if kind == "exclude"),
    )


def names(effect: Effect, method: MethodSpec) -> bool:
    """Whether `effect` speaks of `method`: by id, by family, or of all."""
    return any(name in ("*", method.id, method.family) for name in effect.methods)


def reason_of(rule: Rule, effect: Effect) -> Reason:
    """The reason that a fired rule gives, with its signed score."""
    recalled = "" if rule.status == "verified" else "prior, not checked against the source: "
    return Reason(rule.id, rule.because, recalled + source_text(rule.source), _SIGN[effect.kind] * effect.weight)


def source_text(source: Source) -> str:
    """A source in one line."""
    return f"{source.ref}, {source.where}" if source.where else source.ref


@lru_cache(maxsize=1024)
def _condition(text: str) -> Expression:
    return parse_expression(text)
