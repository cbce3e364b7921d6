"""Configuration of S4."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig

# What each group of layers tunes: (a)dapter, (l)ora, (p)refix, (b)iases.
MIXES = ("al", "ap", "apb", "pbl")


@dataclass
class S4Config(AdapterConfig):
    """Configuration of S4 (arXiv:2301.01821; as arXiv:2303.15647v1, section 11.5, describes it).

    `target_modules` are the query, key and value projections of the attentions and the last matrices of the
    feed-forward blocks; whatever is named by neither of the two fields below can carry a serial adapter.

    Attributes:
        lora_modules: those of the targets that can carry LoRA: queries and values.
        prefix_modules: those that are key projections, which can carry a prefix.
        mixes: what each of the four groups tunes, letters as in `MIXES`, from the lowest.
        width: w; each layer's parts together take about 2 w d parameters, whatever they are.
        lora_alpha: LoRA's scale is lora_alpha / r.
        non_linearity: of the adapters: `relu`, `gelu`, `silu` or `tanh`.
        num_virtual_tokens: length of the prefixes; None takes `share`.
        prefix_projection: always False: the prefixes are flat.
    """

    type_name: ClassVar[str] = "S4"

    lora_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules that can carry LoRA."})
    prefix_modules: list[str] | str | None = field(default=None, metadata={"help": "Key projections."})
    mixes: list[str] = field(default_factory=lambda: list(MIXES), metadata={"help": "What each group of layers tunes."})
    width: int = field(default=32, metadata={"help": "Each layer takes about 2 width d parameters."})
    lora_alpha: int = field(default=8, metadata={"help": "LoRA's scale is lora_alpha / r."})
    non_linearity: str = field(default="relu", metadata={"help": "relu, gelu, silu or tanh."})
    num_virtual_tokens: int | None = field(default=None, metadata={"help": "Length of the prefixes."})
    prefix_projection: bool = field(default=False, metadata={"help": "The prefixes are flat."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("width", "lora_alpha")
        self.num_virtual_tokens = self.num_virtual_tokens or self.share
        self._at_least_one("num_virtual_tokens")
        if len(self.mixes) != len(MIXES):
            raise ValueError(f"mixes has {len(self.mixes)} entries; there are {len(MIXES)} groups of layers")

    @property
    def share(self) -> int:
        """Bottleneck of an adapter, or length of a prefix: half of a layer's width, in units of 2 d parameters."""
        return max(1, self.width // 2)

    @property
    def r(self) -> int:
        """Rank of LoRA on queries and values, whose two products take 4 r d parameters."""
        return max(1, self.width // 4)
