"""Configuration of prefix tuning in every attention."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class PrefixConfig(AdapterConfig):
    """Configuration of prefix tuning (arXiv:2101.00190, section 4).

    `target_modules` are the key projections of the attentions that get a prefix. peft's own prefix tuning trains
    one prefix for the decoder of T5 and puts it into both of its attentions; the library of the survey's authors
    gives the encoder's, the decoder's and the cross attention one each, as this does.

    Attributes:
        num_virtual_tokens: l, the length of the prefix.
        prefix_projection: train the prefix through a network (section 4.3) instead of directly.
        prefix_bottleneck: b, the network's hidden width.
    """

    type_name: ClassVar[str] = "PREFIX"

    num_virtual_tokens: int = field(default=30, metadata={"help": "Length of the prefix."})
    prefix_projection: bool = field(default=False, metadata={"help": "Train it through a network."})
    prefix_bottleneck: int = field(default=512, metadata={"help": "Hidden width of the network."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("num_virtual_tokens", "prefix_bottleneck")
