"""FAR (arXiv:2205.14212): trains the feed-forward nodes that would learn the most.

Takes a `FarConfig` and a model, gives a `FarModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.far.config import FarConfig
from autopeft.tuners.far.layer import FarLayer
from autopeft.tuners.far.model import FarModel

config_cls = FarConfig
model_cls = FarModel

__all__ = ["FarConfig", "FarLayer", "FarModel", "config_cls", "model_cls"]
