"""The form of `search_spaces/tasks/<id>.yaml`."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from autopeft.catalog.schema import SourceSchema, Strict, sources_of
from autopeft.domain.metrics import METRICS
from autopeft.domain.models import Kind
from autopeft.domain.tasks import HEADS, PLACEHOLDER, CellKind, HeadKind, Objective, TaskSpec


class TaskSchema(Strict):
    """A task file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    aliases: list[str] = Field(default_factory=list)
    objective: Objective
    head: HeadKind
    heads: dict[Kind, HeadKind] = Field(default_factory=dict)
    metric: str = Field(min_length=1)
    templates: list[str] = Field(default_factory=list)
    answer_words: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, list[str]] = Field(min_length=1)
    optional_columns: list[str] = Field(default_factory=list)
    kinds: dict[str, CellKind] = Field(default_factory=dict)
    forms: list[list[str]] = Field(default_factory=list)
    architectures: list[Kind] = Field(min_length=1)
    default_batch_size: int = Field(gt=0)
    default_max_length: int = Field(gt=0)
    sources: list[SourceSchema] = Field(min_length=1)

    @model_validator(mode="after")
    def _metric_fits(self) -> Self:
        spec = METRICS.get(self.metric)
        if spec is None:
            raise ValueError(f"{self.metric!r} is no metric; known are {', '.join(METRICS)}")
        if self.objective not in spec.objectives:
            raise ValueError(f"{self.metric} says nothing about {self.objective}")
        return self

    @field_validator("templates")
    @classmethod
    def _templates_are_plain(cls, templates: list[str]) -> list[str]:
        for template in templates:
            if "{" in PLACEHOLDER.sub("", template):
                raise ValueError(f"{template!r} has a brace that stands around no role")
        return templates

    @model_validator(mode="after")
    def _columns_are_consistent(self) -> Self:
        unknown = sorted(set(self.optional_columns) - set(self.columns))
        if unknown:
            raise ValueError(f"the optional column {unknown[0]!r} is not in columns")
        unknown = sorted({*self.kinds, *(role for form in self.forms for role in form)} - set(self.columns))
        if unknown:
            raise ValueError(f"the role {unknown[0]!r} of kinds or forms is not in columns")
        names = [name for candidates in self.columns.values() for name in candidates]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the column name {twice[0]!r} stands for two roles")
        return self

    def to_domain(self) -> TaskSpec:
        """The domain object."""
        return TaskSpec(
            id=self.id,
            title=self.title,
            objective=self.objective,
            head=self.head,
            peft_task_type=HEADS[self.head].peft_task_type,
            metric=self.metric,
            maximize=METRICS[self.metric].maximize,
            columns={role: tuple(candidates) for role, candidates in self.columns.items()},
            optional_columns=tuple(self.optional_columns),
            architectures=tuple(self.architectures),
            default_batch_size=self.default_batch_size,
            default_max_length=self.default_max_length,
            sources=sources_of(self.sources),
            kinds=self.kinds,
            forms=tuple(tuple(form) for form in self.forms),
            heads={str(kind): head for kind, head in self.heads.items()},
            templates=tuple(self.templates),
            answer_words=self.answer_words,
        )
