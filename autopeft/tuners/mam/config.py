"""Configuration of MAM adapters."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.parallel.config import ParallelConfig


@dataclass
class MamConfig(ParallelConfig):
    """Configuration of MAM adapters (arXiv:2110.04366, section 4.6 and figure 1).

    `target_modules` are the attentions' key projections and the first and last matrices of the feed-forward
    blocks; the fields of the parallel adapter are those of `ParallelConfig`.

    Attributes:
        prefix_modules: those of the targets that are key projections.
        num_virtual_tokens: l, the length of the prefix.
        prefix_projection: train the prefix through a network, as the paper and the survey's authors did.
        prefix_bottleneck: hidden width of that network; the survey's library has 800.
    """

    type_name: ClassVar[str] = "MAM"

    prefix_modules: list[str] | str | None = field(default=None, metadata={"help": "Key projections."})
    num_virtual_tokens: int = field(default=30, metadata={"help": "Length of the prefix."})
    prefix_projection: bool = field(default=True, metadata={"help": "Train it through a network."})
    prefix_bottleneck: int = field(default=800, metadata={"help": "Hidden width of the network."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("num_virtual_tokens", "prefix_bottleneck")
