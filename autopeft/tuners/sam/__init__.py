"""SAM (arXiv:2211.15583): trains the entries with the largest squared gradient.

Takes a `SamConfig` and a model, gives a `SamModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.sam.config import SamConfig
from autopeft.tuners.sam.layer import SamLayer
from autopeft.tuners.sam.model import SamModel

config_cls = SamConfig
model_cls = SamModel

__all__ = ["SamConfig", "SamLayer", "SamModel", "config_cls", "model_cls"]
