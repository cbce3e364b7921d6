"""Prefix tuning (arXiv:2101.00190) in every attention, flat or through a network.

Takes a `PrefixConfig` and a model, gives a `PrefixModel`; registered by `autopeft.tuners`.
May import: peft, torch, transformers, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.prefix.config import PrefixConfig
from autopeft.tuners.prefix.model import PrefixModel
from autopeft.tuners.prefix_layer import PrefixLayer

config_cls = PrefixConfig
model_cls = PrefixModel

__all__ = ["PrefixConfig", "PrefixLayer", "PrefixModel", "config_cls", "model_cls"]
