"""SSB (arXiv:2407.05417): trains a scale for each input and each output of a weight.

Takes a `SsbConfig` and a model, gives a `SsbModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.ssb.config import SsbConfig
from autopeft.tuners.ssb.layer import SsbLayer
from autopeft.tuners.ssb.model import SsbModel

config_cls = SsbConfig
model_cls = SsbModel

__all__ = ["SsbConfig", "SsbLayer", "SsbModel", "config_cls", "model_cls"]
