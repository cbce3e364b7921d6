"""The form of `search_spaces/methods/<id>.yaml`."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from autopeft.catalog.schema import SourceSchema, Strict, sources_of
from autopeft.catalog.vocabulary import BUILDERS, REFUSED_FIELDS, REQUIREMENTS, ROLES, TRAINING_KNOBS, UPDATE_RULES
from autopeft.domain.knobs import Knob, Value
from autopeft.domain.methods import Capability, MethodSpec, UpdateRule
from autopeft.domain.models import Kind

Number = int | float


class SizeDefault(Strict):
    """The starting value for base models of at most `up_to_parameters` parameters."""

    up_to_parameters: int = Field(gt=0)
    value: Value


class KnobSchema(Strict):
    """One entry of `knobs`; its name is the key."""

    kind: Literal["float", "int", "categorical"]
    default: Value
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    choices: list[Value] = Field(default_factory=list)
    argument: str | None = None
    size_defaults: list[SizeDefault] = Field(default_factory=list)

    @model_validator(mode="after")
    def _range_makes_sense(self) -> Self:
        if self.kind == "categorical":
            if len(self.choices) < 2 or self.low is not None or self.high is not None or self.log:
                raise ValueError("a categorical knob has at least two choices and no low, high or log")
        elif self.choices or self.low is None or self.high is None or self.low >= self.high:
            raise ValueError(f"{self.kind} knobs have low below high and no choices")
        elif self.log and self.low <= 0:
            raise ValueError("a logarithmic range starts above zero")
        return self

    @model_validator(mode="after")
    def _defaults_lie_within(self) -> Self:
        for value in (self.default, *(entry.value for entry in self.size_defaults)):
            if not self._allows(value):
                raise ValueError(f"the starting value {value!r} is outside its own range")
        limits = [entry.up_to_parameters for entry in self.size_defaults]
        if limits != sorted(set(limits)):
            raise ValueError("size_defaults must rise in up_to_parameters")
        return self

    def _allows(self, value: Value) -> bool:
        if self.kind == "categorical":
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool | str) or (self.kind == "int" and not isinstance(value, int)):
            return False
        return self.low is not None and self.high is not None and self.low <= value <= self.high

    def to_domain(self, name: str) -> Knob:
        """The domain object."""
        return Knob(
            name=name,
            kind=self.kind,
            default=self.default,
            low=self.low,
            high=self.high,
            log=self.log,
            choices=tuple(self.choices),
            argument=self.argument,
            size_defaults=tuple((entry.up_to_parameters, entry.value) for entry in self.size_defaults),
        )


class CapabilitySchema(Strict):
    """One entry of `capabilities`: the answer (null: nobody has checked) and how it is known."""

    value: bool | None
    provenance: str = Field(min_length=1)


class MethodSchema(Strict):
    """A method file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    summary: str = Field(min_length=1)
    family: Literal["additive", "selective", "reparametrization", "hybrid", "control"]
    role: Literal["candidate", "control"] = "candidate"
    default: bool = True
    why: str = ""
    aliases: list[str] = Field(default_factory=list)
    builder: str
    update: UpdateRule = "adamw"
    targets: dict[str, list[str]] = Field(default_factory=dict)
    settings: dict[str, Value | list[Value]] = Field(default_factory=dict)
    knobs: dict[str, KnobSchema]
    capabilities: dict[str, CapabilitySchema] = Field(default_factory=dict)
    tasks: list[str] = Field(default_factory=list)
    architectures: list[Kind] = Field(default_factory=list)
    requires: list[str] = Field(default_factory=list)
    sources: list[SourceSchema] = Field(min_length=1)

    @field_validator("builder")
    @classmethod
    def _builder_is_known(cls, name: str) -> str:
        if name not in BUILDERS:
            raise ValueError(f"{name!r} is no builder; known are {', '.join(sorted(BUILDERS))}")
        return name

    @field_validator("requires")
    @classmethod
    def _requirements_are_known(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in REQUIREMENTS:
                raise ValueError(f"{name!r} is no requirement; known are {', '.join(sorted(REQUIREMENTS))}")
        return names

    @field_validator("targets")
    @classmethod
    def _roles_are_known(cls, targets: dict[str, list[str]]) -> dict[str, list[str]]:
        for field, roles in targets.items():
            unknown = [role for role in roles if role not in ROLES]
            if unknown or not roles:
                what = f"{unknown[0]!r} is no role" if unknown else "no roles"
                raise ValueError(f"{field}: {what}; known are {', '.join(ROLES)}")
        return targets

    @field_validator("knobs")
    @classmethod
    def _knobs_set_something(cls, knobs: dict[str, KnobSchema]) -> dict[str, KnobSchema]:
        for name, knob in knobs.items():
            if (knob.argument is None) != (name in TRAINING_KNOBS):
                training = ", ".join(sorted(TRAINING_KNOBS))
                raise ValueError(f"{name}: every knob but {training} names a peft field in argument")
        arguments = [knob.argument for knob in knobs.values() if knob.argument is not None]
        if len(arguments) != len(set(arguments)):
            raise ValueError("two knobs set the same argument")
        return knobs

    @model_validator(mode="after")
    def _no_field_is_set_twice(self) -> Self:
        arguments = {knob.argument for knob in self.knobs.values() if knob.argument is not None}
        twice = sorted((arguments & self.settings.keys()) | (arguments & self.targets.keys()))
        if twice or self.settings.keys() & self.targets.keys():
            raise ValueError("knobs, settings and targets set the same field of the peft configuration")
        return self

    @model_validator(mode="after")
    def _nothing_reaches_for_code_or_files(self) -> Self:
        fields = {knob.argument for knob in self.knobs.values()} | self.settings.keys() | self.targets.keys()
        if refused := sorted(REFUSED_FIELDS & fields):
            raise ValueError(f"a method must not set {refused[0]}")
        return self

    @model_validator(mode="after")
    def _the_update_rule_has_what_it_needs(self) -> Self:
        builder, wanted = UPDATE_RULES.get(self.update, (self.builder, frozenset()))
        if self.builder != builder:
            raise ValueError(f"the update {self.update} goes with the builder {builder}")
        given = self.knobs.keys() & TRAINING_KNOBS - {"learning_rate", "weight_decay"}
        if given != wanted:
            raise ValueError(f"the update {self.update} takes the knobs {', '.join(sorted(wanted)) or 'of any method'}")
        return self

    @model_validator(mode="after")
    def _what_is_left_out_says_why(self) -> Self:
        if self.default == bool(self.why):
            raise ValueError("`why` says why a method is used only when it is named, and goes with `default: false`")
        return self

    def to_domain(self) -> MethodSpec:
        """The domain object."""
        return MethodSpec(
            id=self.id,
            title=self.title,
            family=self.family,
            builder=self.builder,
            knobs=tuple(knob.to_domain(name) for name, knob in self.knobs.items()),
            summary=self.summary,
            sources=sources_of(self.sources),
            settings=dict(self.settings),
            targets={field: tuple(roles) for field, roles in self.targets.items()},
            capabilities={name: Capability(c.value, c.provenance) for name, c in self.capabilities.items()},
            role=self.role,
            tasks=tuple(self.tasks),
            architectures=tuple(self.architectures),
            requires=tuple(self.requires),
            by_name_only=self.why,
            update=self.update,
        )
