"""Intrinsic SAID (arXiv:2012.13255): all weights move in one small random subspace, scaled for each matrix.

Takes a `SaidConfig` and a model, gives a `SaidModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.said.config import SaidConfig
from autopeft.tuners.said.layer import SaidLayer
from autopeft.tuners.said.model import SaidModel

config_cls = SaidConfig
model_cls = SaidModel

__all__ = ["SaidConfig", "SaidLayer", "SaidModel", "config_cls", "model_cls"]
