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
    """

    type_name: ClassVar[str] = "HOULSBY"

    bottleneck_size: int = field(default=64, metadata={"help": "Width of the bottleneck."})
    non_linearity: str = field(default="relu", metadata={"help": "relu, gelu, silu or tanh."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("bottleneck_size")
