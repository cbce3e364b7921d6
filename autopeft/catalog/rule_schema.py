"""The form of `search_spaces/rules/<theme>.yaml`: a mapping with one key, `rules`, a list."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from autopeft.catalog.schema import SourceSchema, Strict
from autopeft.domain.rules import Effect, Rule, RuleCase


class EffectSchema(Strict):
    """An entry of `effects`."""

    kind: Literal["exclude", "prefer", "penalise", "note"]
    methods: list[str] = Field(min_length=1)
    weight: int | float = Field(default=1.0, gt=0)


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
            effects=tuple(Effect(e.kind, tuple(e.methods), float(e.weight)) for e in self.effects),
            because=self.because,
            source=self.source.to_domain(),
            status=self.status,
            cases=tuple(RuleCase(dict(case.given), case.fires) for case in self.cases),
            version=self.version,
        )


class RulesSchema(Strict):
    """A file of rules."""

    rules: list[RuleSchema] = Field(min_length=1)
