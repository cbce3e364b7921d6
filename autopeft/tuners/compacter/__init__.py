"""Compacter and Compacter++ (arXiv:2106.04647): serial bottlenecks of hypercomplex low-rank layers.

Takes a `CompacterConfig` and a model, gives a `CompacterModel`; registered by `autopeft.tuners`.
May import: peft, torch, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.compacter.config import CompacterConfig
from autopeft.tuners.compacter.layer import CompacterLayer
from autopeft.tuners.compacter.model import CompacterModel

config_cls = CompacterConfig
model_cls = CompacterModel

__all__ = ["CompacterConfig", "CompacterLayer", "CompacterModel", "config_cls", "model_cls"]
