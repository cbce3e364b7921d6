"""Configuration of FAR."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig
from autopeft.tuners.sparse_entries import check_density


@dataclass
class FarConfig(AdapterConfig):
    """Configuration of FAR, freeze and reconfigure (arXiv:2205.14212).

    Attributes:
        density: share of the nodes, the outputs of each target matrix, that learn.
    """

    type_name: ClassVar[str] = "FAR"

    density: float = field(default=0.1, metadata={"help": "Share of each matrix's nodes that learn."})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density(self.density)
