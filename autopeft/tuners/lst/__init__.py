"""Ladder Side-Tuning (arXiv:2206.06522): a small network beside the frozen model, which keeps no activations.

Takes a `LstConfig` and a model, gives a `LstModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.lst.config import LstConfig
from autopeft.tuners.lst.layer import LstLayer
from autopeft.tuners.lst.model import LstModel

config_cls = LstConfig
model_cls = LstModel

__all__ = ["LstConfig", "LstLayer", "LstModel", "config_cls", "model_cls"]
