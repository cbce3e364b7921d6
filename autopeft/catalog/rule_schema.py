"""The form of `search_spaces/rules/<theme>.yaml`: a mapping with one key, `rules`, a list."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from autopeft.catalog.schema import SourceSchema, Strict
from autopeft.domain.knobs import Value
from autopeft.domain.rules import Effect, EffectKind, Ground, Rule, RuleCase

_ON_GROUNDS = ("exclude", "require")
_BY_WEIGHT = ("prefer", "penalise")
_ON_RANGES = ("widen", "narrow")
# A prior that does not say how sure it is counts half.
_UNSTATED = {"verified": 1.0, "prior": 0.5}


class EffectSchema(Strict):
    """An entry of `effects`."""

    kind: EffectKind
    methods: list[str] = Field(min_length=1)
    but: list[str] = Field(default_factory=list)
    weight: int | float = Field(default=1.0, gt=0, le=10)
    ground: Ground | None = None
    knob: str = ""
    value: Value | None = None
    low: int | float | None = None
    high: int | float | None = None

    @model_validator(mode="after")
    def _only_the_impossible_excludes(self) -> Self:
        if (self.kind in _ON_GROUNDS) != (self.ground is not None):
            raise ValueError(
                f"{' and '.join(_ON_GROUNDS)}, and only these, have a ground, infeasible or incompatible; "
                "what is merely worse is penalised"
            )
        return self

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        given = self.model_fields_set
        if "weight" in given and self.kind not in _BY_WEIGHT:
            raise ValueError(f"only {' and '.join(_BY_WEIGHT)} have a weight")
        if bool(self.knob) != (self.kind == "set" or self.kind in _ON_RANGES):
            raise ValueError("set, widen and narrow, and only these, name a knob")
        if (self.value is not None) != (self.kind == "set"):
            raise ValueError("set, and only set, has a value")
        if (self.low is not None or self.high is not None) != (self.kind in _ON_RANGES):
            raise ValueError("widen and narrow, and only these, have low or high")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be below high")
        return self

    def to_domain(self) -> Effect:
        """The domain object."""
        return Effect(
            kind=self.kind,
            methods=tuple(self.methods),
            weight=float(self.weight),
            but=tuple(self.but),
            ground=self.ground,
            knob=self.knob,
            value=self.value,
            low=self.low,
            high=self.high,
        )


class CaseSchema(Strict):
    """An entry of `cases`."""

    given: dict[str, Any]
    fires: bool


class RuleSchema(Strict):
    """One rule."""

    id: str = Field(pattern=r"^[A-Z]+-?[0-9]+[a-z]?$")
    title: str = Field(min_length=1)
    when: str = Field(min_length=1)
    effects: list[EffectSchema] = Field(min_length=1)
    because: str = Field(min_length=1)
    source: SourceSchema
    status: Literal["verified", "prior"]
    confidence: int | float | None = Field(default=None, gt=0, le=1)
    findings: list[str] = Field(default_factory=list)
    drawn_from: list[str] = Field(default_factory=list)
    cases: list[CaseSchema] = Field(min_length=2)
    version: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _cases_show_both_answers(self) -> Self:
        if {case.fires for case in self.cases} != {True, False}:
            raise ValueError("the cases must show the rule firing and not firing")
        return self

    def to_domain(self) -> Rule:
        """The domain object."""
        return Rule(
            id=self.id,
            title=self.title,
            when=self.when,
            effects=tuple(effect.to_domain() for effect in self.effects),
            because=self.because,
            source=self.source.to_domain(),
            status=self.status,
            cases=tuple(RuleCase(dict(case.given), case.fires) for case in self.cases),
            version=self.version,
            confidence=float(_UNSTATED[self.status] if self.confidence is None else self.confidence),
            findings=tuple(self.findings),
            drawn_from=tuple(self.drawn_from),
        )


class RulesSchema(Strict):
    """A file of rules."""

    rules: list[RuleSchema] = Field(min_length=1)
