"""The form of `search_spaces/tasks/<id>.yaml`."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from autopeft.catalog.schema import SourceSchema, Strict, sources_of
from autopeft.catalog.vocabulary import PEFT_TASK_TYPES
from autopeft.domain.models import Kind
from autopeft.domain.tasks import HeadKind, TaskSpec


class TaskSchema(Strict):
    """A task file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    aliases: list[str] = Field(default_factory=list)
    head: HeadKind
    peft_task_type: str
    metric: str = Field(min_length=1)
    maximize: bool
    columns: dict[str, list[str]] = Field(min_length=1)
    optional_columns: list[str] = Field(default_factory=list)
    architectures: list[Kind] = Field(min_length=1)
    default_batch_size: int = Field(gt=0)
    default_max_length: int = Field(gt=0)
    sources: list[SourceSchema] = Field(min_length=1)

    @field_validator("peft_task_type")
    @classmethod
    def _peft_knows_it(cls, name: str) -> str:
        if name not in PEFT_TASK_TYPES:
            raise ValueError(f"{name!r} is no peft task type; known are {', '.join(sorted(PEFT_TASK_TYPES))}")
        return name

    @model_validator(mode="after")
    def _columns_are_consistent(self) -> Self:
        unknown = sorted(set(self.optional_columns) - set(self.columns))
        if unknown:
            raise ValueError(f"the optional column {unknown[0]!r} is not in columns")
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
            head=self.head,
            peft_task_type=self.peft_task_type,
            metric=self.metric,
            maximize=self.maximize,
            columns={role: tuple(candidates) for role, candidates in self.columns.items()},
            optional_columns=tuple(self.optional_columns),
            architectures=tuple(self.architectures),
            default_batch_size=self.default_batch_size,
            default_max_length=self.default_max_length,
            sources=sources_of(self.sources),
        )
