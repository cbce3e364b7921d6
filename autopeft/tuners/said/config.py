"""Configuration of Intrinsic SAID."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class SaidConfig(AdapterConfig):
    """Configuration of Intrinsic SAID (arXiv:2012.13255, section 3).

    Attributes:
        intrinsic_dimension: length of the shared vector. The paper's d counts one scale for each matrix too;
            choice: here the scales come on top.
        projection_seed: of the random projections, which are drawn again on loading and never saved.
    """

    type_name: ClassVar[str] = "SAID"

    intrinsic_dimension: int = field(default=200, metadata={"help": "Length of the shared trained vector."})
    projection_seed: int = field(default=0, metadata={"help": "Seed of the random projections."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("intrinsic_dimension")
