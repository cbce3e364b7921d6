"""Configuration of LoRETTA_adp."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class LorettaAdpConfig(AdapterConfig):
    """Configuration of LoRETTA_adp (arXiv:2402.11417, section 3.2).

    Attributes:
        bottleneck_size: width b of the bottleneck.
        tensor_rank: rank of the tensor trains.
        non_linearity: `relu`, `gelu`, `silu` or `tanh`; the authors' code uses `tanh`.
    """

    type_name: ClassVar[str] = "LORETTA_ADP"

    bottleneck_size: int = field(default=64, metadata={"help": "Width of the bottleneck."})
    tensor_rank: int = field(default=5, metadata={"help": "Rank of the tensor trains."})
    non_linearity: str = field(default="tanh", metadata={"help": "relu, gelu, silu or tanh."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("bottleneck_size", "tensor_rank")
