"""The form of `search_spaces/evidence/<id>.yaml`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from autopeft.catalog.schema import SourceSchema, Strict
from autopeft.domain.evidence import Comparison, Evidence, Measurement, TaskKind
from autopeft.domain.knobs import Value
from autopeft.domain.models import Kind

# What every comparison is read against (rule P01).
REFERENCE = "lora"


class MeasurementSchema(Strict):
    """An entry of `measurements`."""

    method: str = Field(min_length=1)
    value: float = Field(ge=0, le=1)
    logged_as: str = ""
    likeness: float = Field(default=1.0, gt=0, le=1)
    learning_rate: float | None = Field(default=None, gt=0)
    trainable_parameters: int | None = Field(default=None, gt=0)
    spread: float | None = Field(default=None, ge=0)

    def to_domain(self) -> Measurement:
        """The domain object."""
        return Measurement(**dict(self))


class ComparisonSchema(Strict):
    """An entry of `comparisons`: measurements, or an order."""

    title: str = Field(min_length=1)
    model: str = ""
    metric: str = Field(min_length=1)
    measurements: list[MeasurementSchema] = Field(default_factory=list)
    order: list[list[str]] = Field(default_factory=list)
    model_parameters: int | None = Field(default=None, gt=0)
    architecture_kind: Kind | None = None
    task_kind: TaskKind | None = None
    training_rows: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _compares_with_the_reference(self) -> Self:
        if bool(self.measurements) == bool(self.order):
            raise ValueError("a comparison has either measurements or an order")
        if REFERENCE not in self.methods():
            raise ValueError(f"a comparison must hold {REFERENCE}, which the other methods are read against")
        return self

    def methods(self) -> list[str]:
        """The methods in it, in the order of the file."""
        return [one.method for one in self.measurements] or [name for tied in self.order for name in tied]

    def to_domain(self) -> Comparison:
        """The domain object."""
        plain = dict(self) | {
            "measurements": tuple(one.to_domain() for one in self.measurements),
            "order": tuple(tuple(tied) for tied in self.order),
        }
        return Comparison(**plain)


class EvidenceSchema(Strict):
    """A file of published measurements."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = Field(min_length=1)
    source: SourceSchema
    rows: list[dict[str, Value | None]] = Field(default_factory=list)
    comparisons: list[ComparisonSchema] = Field(default_factory=list)
    campaign: str = ""
    findings: list[str] = Field(default_factory=list)
    status: Literal["verified", "recalled"] = "verified"

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.rows and not self.comparisons:
            raise ValueError("a table needs rows or comparisons")
        return self

    def to_domain(self) -> Evidence:
        """The domain object."""
        return Evidence(
            id=self.id,
            title=self.title,
            source=self.source.to_domain(),
            rows=tuple(self.rows),
            comparisons=tuple(one.to_domain() for one in self.comparisons),
            campaign=self.campaign or self.id,
            findings=tuple(self.findings),
            status=self.status,
        )
