"""A recommendation rule: when it holds, what follows, why, and its own test cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autopeft.domain.knobs import Value
from autopeft.domain.methods import Source

EffectKind = Literal["exclude", "require", "prefer", "penalise", "set", "widen", "narrow", "note"]
# Only what cannot work may be left out; what is merely worse is penalised.
Ground = Literal["infeasible", "incompatible"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule does to the methods it names.

    Attributes:
        kind: exclude or require (on a `ground` only), prefer or penalise (by `weight`), set, widen or narrow (a
            `knob`), or note.
        methods: selectors, see `autopeft.domain.selectors`; a method that one of them fits is meant. `require` leaves
            out every method that it does not mean.
        weight: score points, above 0, of prefer and penalise; 1 is about one step in the ranking.
        but: selectors of methods that are not meant after all.
        ground: of exclude and require: infeasible (cannot be run) or incompatible (cannot work together).
        knob: of set, widen and narrow; a method without it is not touched.
        value: the start that `set` gives.
        low: the new least value, of widen and narrow; None leaves it.
        high: the new greatest value.
    """

    kind: EffectKind
    methods: tuple[str, ...]
    weight: float = 1.0
    but: tuple[str, ...] = ()
    ground: Ground | None = None
    knob: str = ""
    value: Value | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class RuleCase:
    """A test case of a rule: with these facts, does it fire?"""

    given: Mapping[str, Any]
    fires: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `search_spaces/rules/<theme>.yaml`.

    Attributes:
        id: the finding's id where it has one (`P01`, `C06`, `E02`), else `AP-<n>`.
        title: one line for people.
        when: a condition in the safe expression language over the fact vocabulary.
        effects: what follows.
        because: one or two sentences for people.
        source: where it comes from.
        status: verified (seen in the source) or prior (recalled; shown as such).
        cases: at least two, one of which fires.
        version: raised when the meaning changes.
        confidence: above 0, at most 1: its points count by that much. A verified rule has 1 unless it says otherwise,
            a prior a half.
        findings: the findings of the survey's table that it carries out.
        drawn_from: ids of evidence tables whose rows it sums up; without such a table it is no independent word.
    """

    id: str
    title: str
    when: str
    effects: tuple[Effect, ...]
    because: str
    source: Source
    status: Literal["verified", "prior"]
    cases: tuple[RuleCase, ...]
    version: int = 1
    confidence: float = 1.0
    findings: tuple[str, ...] = ()
    drawn_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a method stands where it stands, or is left out."""

    rule: str
    text: str
    source: str
    score: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: rule, text, source, score."""
        return {"rule": self.rule, "text": self.text, "source": self.source, "score": self.score}
