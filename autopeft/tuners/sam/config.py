"""Configuration of SAM."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig
from autopeft.tuners.sparse_entries import check_density


@dataclass
class SamConfig(AdapterConfig):
    """Configuration of SAM, the second-order approximation method (arXiv:2211.15583).

    Attributes:
        density: share of each target matrix that trains.
    """

    type_name: ClassVar[str] = "SAM"

    density: float = field(default=0.005, metadata={"help": "Share of each matrix that trains."})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density(self.density)
