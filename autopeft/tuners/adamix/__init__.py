"""AdaMix (arXiv:2205.12410): adapters in several copies, mixed at random while training, averaged after.

Takes a `AdaMixConfig` and a model, gives a `AdaMixModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.adamix.config import AdaMixConfig
from autopeft.tuners.adamix.layer import AdaMixLayer
from autopeft.tuners.adamix.model import AdaMixModel

config_cls = AdaMixConfig
model_cls = AdaMixModel

__all__ = ["AdaMixConfig", "AdaMixLayer", "AdaMixModel", "config_cls", "model_cls"]
