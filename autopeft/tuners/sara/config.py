"""Configuration of SaRA."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig
from autopeft.tuners.sparse_entries import check_density


@dataclass
class SaraConfig(AdapterConfig):
    """Configuration of SaRA (arXiv:2409.06633).

    Attributes:
        density: share of each target matrix that trains, its smallest entries.
        rank_penalty: weight of the nuclear norm in the loss; 0 leaves it out.
        progressive: after half of the training, go on with those entries that are still small.
    """

    type_name: ClassVar[str] = "SARA"

    density: float = field(default=0.1, metadata={"help": "Share of each matrix that trains."})
    rank_penalty: float = field(default=0.0005, metadata={"help": "Weight of the nuclear norm in the loss."})
    progressive: bool = field(default=True, metadata={"help": "Later train only what is still small."})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density(self.density)
        if self.rank_penalty < 0:
            raise ValueError(f"rank_penalty is {self.rank_penalty}; it must be at least 0")
