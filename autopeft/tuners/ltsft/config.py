"""Configuration of LT-SFT."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig
from autopeft.tuners.sparse_entries import check_density


@dataclass
class LtSftConfig(AdapterConfig):
    """Configuration of LT-SFT, lottery-ticket sparse fine-tuning (arXiv:2110.07560).

    Attributes:
        density: share of each target matrix that trains in the second phase.
        choose_at: share of the training that the first phase, full fine-tuning of the targets, takes.
    """

    type_name: ClassVar[str] = "LTSFT"

    density: float = field(default=0.05, metadata={"help": "Share of each matrix that trains in the second phase."})
    choose_at: float = field(default=0.4, metadata={"help": "Share of the training that the first phase takes."})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density(self.density)
        if not 0 < self.choose_at < 1:
            raise ValueError(f"choose_at is {self.choose_at}; it must lie between 0 and 1")
