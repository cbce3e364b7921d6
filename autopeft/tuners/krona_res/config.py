"""Configuration of KronA^B_res."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class KronAResConfig(AdapterConfig):
    """Configuration of KronA^B and KronA^B_res (arXiv:2212.10650, section 3).

    `target_modules` are the first and the last matrices of the feed-forward blocks.

    Attributes:
        input_modules: those of the targets that come first in their block; the branch reads their input.
        scaling: s, the factor on the Kronecker product.
        residual: train a residual connection s_res x too (KronA^B_res); without it, it is KronA^B.
    """

    type_name: ClassVar[str] = "KRONA_RES"

    input_modules: list[str] | str | None = field(
        default=None, metadata={"help": "First matrices of the feed-forward blocks."}
    )
    scaling: float = field(default=1.0, metadata={"help": "Factor on the Kronecker product."})
    residual: bool = field(default=True, metadata={"help": "Train a residual connection too."})
