"""Configuration of SparseAdapter."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig
from autopeft.tuners.sparse_entries import check_density

CRITERIA = ("snip", "magnitude")


@dataclass
class SparseAdapterConfig(AdapterConfig):
    """Configuration of SparseAdapter (arXiv:2210.04284).

    Attributes:
        bottleneck_size: width b of the bottleneck before pruning.
        density: share of each of its two matrices that is kept.
        criterion: `snip` keeps what the loss of the first rows feels most, `magnitude` the largest entries drawn.
        non_linearity: `relu`, `gelu`, `silu` or `tanh`.
    """

    type_name: ClassVar[str] = "SPARSE_ADAPTER"

    bottleneck_size: int = field(default=128, metadata={"help": "Width of the bottleneck before pruning."})
    density: float = field(default=0.5, metadata={"help": "Share of each matrix that is kept."})
    criterion: str = field(default="snip", metadata={"help": "snip or magnitude."})
    non_linearity: str = field(default="relu", metadata={"help": "relu, gelu, silu or tanh."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("bottleneck_size")
        check_density(self.density)
        if self.criterion not in CRITERIA:
            raise ValueError(f"criterion {self.criterion!r} is not one of {', '.join(CRITERIA)}")
