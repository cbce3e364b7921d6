"""Configuration of Compacter."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class CompacterConfig(AdapterConfig):
    """Configuration of Compacter and Compacter++ (arXiv:2106.04647, section 4).

    `target_modules` are the output projections of the attention and of the feed-forward block (Compacter), or of
    the feed-forward block alone (Compacter++).

    Attributes:
        bottleneck_size: width b of the bottleneck; the survey's authors took a 32nd of the model's width.
        phm_dim: n, the number and the size of the shared small matrices; it must divide b and the widths.
        phm_rank: r, the rank of each layer's own factors.
        non_linearity: `gelu` as the authors have it, `relu`, `silu` or `tanh`.
    """

    type_name: ClassVar[str] = "COMPACTER"

    bottleneck_size: int = field(default=32, metadata={"help": "Width of the bottleneck."})
    phm_dim: int = field(default=4, metadata={"help": "Number and size of the shared matrices."})
    phm_rank: int = field(default=1, metadata={"help": "Rank of each layer's own factors."})
    non_linearity: str = field(default="gelu", metadata={"help": "relu, gelu, silu or tanh."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("bottleneck_size", "phm_dim", "phm_rank")
