"""FishMask (arXiv:2111.09839): trains the entries with the largest Fisher information.

Takes a `FishMaskConfig` and a model, gives a `FishMaskModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.fishmask.config import FishMaskConfig
from autopeft.tuners.fishmask.layer import FishMaskLayer
from autopeft.tuners.fishmask.model import FishMaskModel

config_cls = FishMaskConfig
model_cls = FishMaskModel

__all__ = ["FishMaskConfig", "FishMaskLayer", "FishMaskModel", "config_cls", "model_cls"]
