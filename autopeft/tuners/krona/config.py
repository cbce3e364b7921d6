"""Configuration of KronA."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class KronAConfig(AdapterConfig):
    """Configuration of KronA (arXiv:2212.10650, section 3).

    Attributes:
        right_rank: rank of the right factor; 0 trains it in full, as the paper has it. The survey's authors ran
            KronA through peft's LoKr, which makes the right factor a product of rank 8 unless 8 is at least
            half its longer side; 8 reproduces their parameter counts.
        scaling: s, the factor on the product; LoKr's with its own settings is 1.
    """

    type_name: ClassVar[str] = "KRONA"

    right_rank: int = field(default=0, metadata={"help": "Rank of the right factor; 0: full."})
    scaling: float = field(default=1.0, metadata={"help": "Factor on the Kronecker product."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.right_rank < 0:
            raise ValueError(f"right_rank is {self.right_rank}; it must be 0 (full) or more")
