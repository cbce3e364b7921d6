"""Configuration of LoRTA."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class LortaConfig(AdapterConfig):
    """Configuration of LoRTA (arXiv:2410.04060).

    Attributes:
        r: rank of the tensor.
        alpha: the update is scaled by alpha / r.
        head_size: outputs of one attention head; None reads it from the model's configuration.
        transposed_modules: those of the targets whose *inputs* are the heads, the attention's output
            projections, in the form of `target_modules`.
    """

    type_name: ClassVar[str] = "LORTA"

    r: int = field(default=4, metadata={"help": "Rank of the tensor."})
    alpha: float = field(default=4.0, metadata={"help": "The update is scaled by alpha / r."})
    head_size: int | None = field(default=None, metadata={"help": "Outputs of one attention head."})
    transposed_modules: list[str] | str | None = field(
        default=None, metadata={"help": "Targets whose inputs, not outputs, are the heads."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("r")
