"""Configuration of parallel adapters."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class ParallelConfig(AdapterConfig):
    """Configuration of parallel and scaled parallel adapters (arXiv:2110.04366, sections 3.3 and 4.6).

    `target_modules` are the first and the last matrices of the feed-forward blocks.

    Attributes:
        input_modules: those of the targets that come first in their block; the adapter reads their input.
        bottleneck_size: width b; a block of width d has 2db + b + d parameters.
        scaling: s, the factor on the adapter's output: 1 in a parallel adapter, 4 in the scaled one.
        learned_scaling: train s too, one number per block that starts at `scaling`. The survey's "scaled parallel"
            is that of the adapters library, whose s is learned and starts at 1; the paper's is fixed.
        non_linearity: `relu` as in the paper, `gelu`, `silu` or `tanh`.
    """

    type_name: ClassVar[str] = "PARALLEL"

    input_modules: list[str] | str | None = field(
        default=None, metadata={"help": "First matrices of the feed-forward blocks."}
    )
    bottleneck_size: int = field(default=512, metadata={"help": "Width of the bottleneck."})
    scaling: float = field(default=4.0, metadata={"help": "Factor on the adapter's output."})
    learned_scaling: bool = field(default=False, metadata={"help": "Train that factor too."})
    non_linearity: str = field(default="relu", metadata={"help": "relu, gelu, silu or tanh."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("bottleneck_size")
