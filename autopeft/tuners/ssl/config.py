"""Configuration of SSL."""

from dataclasses import dataclass
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig


@dataclass
class SslConfig(AdapterConfig):
    """Configuration of SSL (arXiv:2407.05417); it has no fields of its own."""

    type_name: ClassVar[str] = "SSL"
