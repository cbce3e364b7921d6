"""Houlsby adapters (arXiv:1902.00751): serial bottlenecks after the attention and the feed-forward output.

Takes a `HoulsbyConfig` and a model, gives a `HoulsbyModel`; registered by `autopeft.tuners`.
May import: peft, torch. Must not import: anything else of autopeft.
"""

from autopeft.tuners.houlsby.config import HoulsbyConfig
from autopeft.tuners.houlsby.layer import HoulsbyLayer
from autopeft.tuners.houlsby.model import HoulsbyModel

config_cls = HoulsbyConfig
model_cls = HoulsbyModel

__all__ = ["HoulsbyConfig", "HoulsbyLayer", "HoulsbyModel", "config_cls", "model_cls"]
