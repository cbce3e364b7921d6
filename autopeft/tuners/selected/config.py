"""Configuration of selective tuning."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class SelectedConfig(AdapterConfig):
    """Configuration of selective tuning: `target_modules` train in full, everything else is frozen.

    Attributes:
        last_blocks: train the targets of that many last blocks only; 0 means of all blocks. In a model of
            encoder and decoder the blocks are the decoder's (choice: they are the ones nearest to the output).
    """

    type_name: ClassVar[str] = "SELECTED"

    last_blocks: int = field(default=0, metadata={"help": "Number of last blocks; 0: all."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.last_blocks < 0:
            raise ValueError(f"last_blocks is {self.last_blocks}; it must be 0 (all) or more")
