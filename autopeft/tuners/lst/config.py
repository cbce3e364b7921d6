"""Configuration of Ladder Side-Tuning."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class LstConfig(AdapterConfig):
    """Configuration of Ladder Side-Tuning (arXiv:2206.06522).

    `target_modules` are the output projections of the feed-forward blocks: one for each block of the backbone.

    Attributes:
        reduction: the side network is 1 / reduction as wide as the backbone.
        temperature: T of the gates.
    """

    type_name: ClassVar[str] = "LST"

    reduction: int = field(default=8, metadata={"help": "The side network is 1 / reduction as wide."})
    temperature: float = field(default=0.1, metadata={"help": "Temperature of the gates."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("reduction")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")
