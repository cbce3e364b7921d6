"""Configuration of UniPELT."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class UniPELTConfig(AdapterConfig):
    """Configuration of UniPELT (arXiv:2110.07577, section 3).

    `target_modules` are the query, key and value projections of the attentions and the last matrices of the
    feed-forward blocks; whatever is named by none of the three fields below gets a serial adapter.

    Attributes:
        lora_modules: those of the targets that get a gated LoRA: queries and values.
        query_modules: those that are query projections; the prefix' gate reads their input.
        prefix_modules: those that are key projections, which carry the gated prefix.
        r: rank of LoRA.
        lora_alpha: LoRA's scale is lora_alpha / r.
        num_virtual_tokens: l, the length of the prefix.
        prefix_projection: train the prefix through a network.
        prefix_bottleneck: hidden width of that network.
        bottleneck_size: width b of the serial adapter.
        non_linearity: of the serial adapter: `relu`, `gelu`, `silu` or `tanh`.
    """

    type_name: ClassVar[str] = "UNIPELT"

    lora_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules with a gated LoRA."})
    query_modules: list[str] | str | None = field(default=None, metadata={"help": "Query projections."})
    prefix_modules: list[str] | str | None = field(default=None, metadata={"help": "Key projections."})
    r: int = field(default=8, metadata={"help": "Rank of LoRA."})
    lora_alpha: int = field(default=8, metadata={"help": "LoRA's scale is lora_alpha / r."})
    num_virtual_tokens: int = field(default=10, metadata={"help": "Length of the prefix."})
    prefix_projection: bool = field(default=True, metadata={"help": "Train the prefix through a network."})
    prefix_bottleneck: int = field(default=512, metadata={"help": "Hidden width of that network."})
    bottleneck_size: int = field(default=64, metadata={"help": "Width of the serial adapter."})
    non_linearity: str = field(default="relu", metadata={"help": "relu, gelu, silu or tanh."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("r", "num_virtual_tokens", "prefix_bottleneck", "bottleneck_size")
