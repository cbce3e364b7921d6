"""The form of `search_spaces/gpus/<id>.yaml`."""

from typing import Self, cast

from pydantic import Field, model_validator

from autopeft.catalog.schema import SourceSchema, Strict, sources_of
from autopeft.domain.hardware import HardwareSpec


class FlopsSchema(Strict):
    """Dense operations per second of matrix products, by dtype."""

    float32: float = Field(gt=0)
    float16: float = Field(gt=0)
    bfloat16: float = Field(gt=0)


class ShareSchema(Strict):
    """The share of each of the data sheet's figures that training reaches."""

    float32: float = Field(gt=0, le=1)
    float16: float = Field(gt=0, le=1)
    bfloat16: float = Field(gt=0, le=1)
    bandwidth: float = Field(gt=0, le=1)


class HardwareSchema(Strict):
    """A device file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    aliases: list[str]
    generation: str = Field(min_length=1)
    compute_capability: list[int] | None = Field(min_length=2, max_length=2)
    total_bytes: int | None = Field(gt=0)
    usable_bytes: int | None = Field(gt=0)
    context_bytes: int = Field(ge=0)
    bandwidth_bytes_per_second: float = Field(gt=0)
    flops_per_second: FlopsSchema
    achieved_share: ShareSchema
    launch_seconds: float = Field(gt=0, lt=1)
    kernel_seconds: float = Field(gt=0, lt=1)
    sources: list[SourceSchema] = Field(min_length=1)

    @model_validator(mode="after")
    def _memory_makes_sense(self) -> Self:
        if self.total_bytes is None or self.usable_bytes is None:
            if self.total_bytes != self.usable_bytes:
                raise ValueError("total_bytes and usable_bytes are both known or both null")
        elif not self.context_bytes < self.usable_bytes <= self.total_bytes:
            raise ValueError("usable_bytes must lie between context_bytes and total_bytes")
        return self

    def to_domain(self) -> HardwareSpec:
        """The domain object."""
        return HardwareSpec(
            id=self.id,
            title=self.title,
            aliases=tuple(self.aliases),
            generation=self.generation,
            compute_capability=cast(tuple[int, int], tuple(self.compute_capability))
            if self.compute_capability
            else None,
            total_bytes=self.total_bytes,
            usable_bytes=self.usable_bytes,
            context_bytes=self.context_bytes,
            bandwidth_bytes_per_second=self.bandwidth_bytes_per_second,
            flops_per_second=self.flops_per_second.model_dump(),
            achieved_share=self.achieved_share.model_dump(),
            launch_seconds=self.launch_seconds,
            kernel_seconds=self.kernel_seconds,
            sources=sources_of(self.sources),
        )
