"""MAM adapters (arXiv:2110.04366): prefixes in attention, scaled parallel adapters beside the feed-forward.

Takes a `MamConfig` and a model, gives a `MamModel`; registered by `autopeft.tuners`.
May import: peft, torch, transformers, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.mam.config import MamConfig
from autopeft.tuners.mam.model import MamModel

config_cls = MamConfig
model_cls = MamModel

__all__ = ["MamConfig", "MamModel", "config_cls", "model_cls"]
