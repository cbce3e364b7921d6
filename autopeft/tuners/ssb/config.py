"""Configuration of SSB."""

from dataclasses import dataclass
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class SsbConfig(AdapterConfig):
    """Configuration of SSB (arXiv:2407.05417); it has no fields of its own."""

    type_name: ClassVar[str] = "SSB"
