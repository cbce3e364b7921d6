"""A recommendation rule: when it holds, what follows, why, and its own test cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autopeft.domain.methods import Source


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule does to the methods it names.

    Attributes:
        kind: exclude (infeasible or incompatible only), prefer, penalise, or note.
        methods: ids, or family names, or `*`.
        weight: score points, above 0, of prefer and penalise; 1 is about one step in the ranking.
    """

    kind: Literal["exclude", "prefer", "penalise", "note"]
    methods: tuple[str, ...]
    weight: float = 1.0


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
