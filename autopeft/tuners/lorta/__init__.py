"""LoRTA (arXiv:2410.04060): one low-rank tensor over all layers, heads and attention matrices.

Takes a `LortaConfig` and a model, gives a `LortaModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.lorta.config import LortaConfig
from autopeft.tuners.lorta.layer import LortaLayer
from autopeft.tuners.lorta.model import LortaModel

config_cls = LortaConfig
model_cls = LortaModel

__all__ = ["LortaConfig", "LortaLayer", "LortaModel", "config_cls", "model_cls"]
