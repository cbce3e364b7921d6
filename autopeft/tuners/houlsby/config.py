"""Configuration of Houlsby adapters."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class HoulsbyConfig(AdapterConfig):
    """Configuration of serial adapters (arXiv:1902.00751, figure 2; arXiv:2005.00247, section 3.1).

    `target_modules` are the modules after whose output a bottleneck is put, so that it comes before the residual
    is added: the output projections of the attention and of the feed-forward block for Houlsby's adapters, of
    the feed-forward block alone for Pfeiffer's.

    Attributes:
        bottleneck_size: width b of the bottleneck; on a module of d outputs it has 2db + b + d parameters.
        non_linearity: `relu`, `gelu`, `silu` or `tanh`. The paper says only "a nonlinearity"; `relu` is our
            choice.
        dropped_share: share of the layers, from the lowest, that get no bottleneck (AdapterDrop, arXiv:2010.11918).
    """

    type_name: ClassVar[str] = "HOULSBY"

    bottleneck_size: int = field(default=64, metadata={"help": "Width of the bottleneck."})
    non_linearity: str = field(default="relu", metadata={"help": "relu, gelu, silu or tanh."})

    dropped_share: float = field(default=0.0, metadata={"help": "Share of the lowest layers without a bottleneck."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("bottleneck_size")
        if not 0 <= self.dropped_share < 1:
            raise ValueError(f"dropped_share is {self.dropped_share}; it must be from 0 to below 1")
