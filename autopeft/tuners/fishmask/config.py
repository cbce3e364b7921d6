"""Configuration of FishMask."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig
from autopeft.tuners.sparse_entries import check_density


@dataclass
class FishMaskConfig(AdapterConfig):
    """Configuration of FishMask (arXiv:2111.09839).

    Attributes:
        density: share of each target matrix that trains.
        groups: into how many groups of rows the first step's rows are split for the Fisher information.
    """

    type_name: ClassVar[str] = "FISHMASK"

    density: float = field(default=0.005, metadata={"help": "Share of each matrix that trains."})
    groups: int = field(default=4, metadata={"help": "Groups of rows whose gradients are squared one by one."})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density(self.density)
        self._at_least_one("groups")
