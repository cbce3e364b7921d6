"""Configuration of AdaMix."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class AdaMixConfig(AdapterConfig):
    """Configuration of AdaMix with adapters (arXiv:2205.12410).

    Attributes:
        bottleneck_size: width b of each bottleneck.
        copies: number of adaptation modules at each site.
        consistency: weight of the consistency loss.
        non_linearity: `relu`, `gelu`, `silu` or `tanh`.
    """

    type_name: ClassVar[str] = "ADAMIX"

    bottleneck_size: int = field(default=16, metadata={"help": "Width of each bottleneck."})
    copies: int = field(default=4, metadata={"help": "Adaptation modules at each site."})
    consistency: float = field(default=1.0, metadata={"help": "Weight of the consistency loss."})
    non_linearity: str = field(default="gelu", metadata={"help": "relu, gelu, silu or tanh."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("bottleneck_size", "copies")
        if self.consistency < 0:
            raise ValueError(f"consistency is {self.consistency}; it must be at least 0")
