"""Configuration of DiffPruning."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig
from autopeft.tuners.sparse_entries import check_density


@dataclass
class DiffPruningConfig(AdapterConfig):
    """Configuration of DiffPruning (arXiv:2012.07463).

    Attributes:
        density: share of each target matrix that still differs after pruning.
        sparsity_penalty: weight of the expected number of differing entries in the loss.
        prune_at: after this share of the training all but the largest differences are dropped.
    """

    type_name: ClassVar[str] = "DIFFPRUNING"

    density: float = field(default=0.005, metadata={"help": "Share of each matrix that differs in the end."})
    sparsity_penalty: float = field(default=1.25e-7, metadata={"help": "Weight of the expected count in the loss."})
    prune_at: float = field(default=0.5, metadata={"help": "Share of the training after which it is pruned."})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density(self.density)
        if self.sparsity_penalty < 0:
            raise ValueError(f"sparsity_penalty is {self.sparsity_penalty}; it must be at least 0")
        if not 0 < self.prune_at < 1:
            raise ValueError(f"prune_at is {self.prune_at}; it must lie between 0 and 1")
