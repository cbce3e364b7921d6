"""Configuration of LoRETTA_rep."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class LorettaRepConfig(AdapterConfig):
    """Configuration of LoRETTA_rep (arXiv:2402.11417, section 3.2).

    Attributes:
        r: width between the two factors.
        tensor_rank: rank of the tensor trains.
        alpha: the update is scaled by alpha / r.
    """

    type_name: ClassVar[str] = "LORETTA_REP"

    r: int = field(default=8, metadata={"help": "Width between the two factors."})
    tensor_rank: int = field(default=5, metadata={"help": "Rank of the tensor trains."})
    alpha: float = field(default=8.0, metadata={"help": "The update is scaled by alpha / r."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("r", "tensor_rank")
