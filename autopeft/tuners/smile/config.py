"""Configuration of SMILE."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class SmileConfig(AdapterConfig):
    """Configuration of SMILE (arXiv:2408.10174).

    Attributes:
        experts: how many adapters were fused.
        rank: singular directions that each expert keeps of its difference.
        gate_rank: of them, those that the routing looks at.
        top_k: experts that each token goes to.
    """

    type_name: ClassVar[str] = "SMILE"

    experts: int = field(default=2, metadata={"help": "How many adapters were fused."})
    rank: int = field(default=32, metadata={"help": "Singular directions that each expert keeps."})
    gate_rank: int = field(default=16, metadata={"help": "Singular directions that the routing looks at."})
    top_k: int = field(default=1, metadata={"help": "Experts that each token goes to."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("experts", "rank", "gate_rank", "top_k")
        if self.top_k > self.experts:
            raise ValueError(f"top_k is {self.top_k}, but there are {self.experts} experts")
