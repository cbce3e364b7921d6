"""UniPELT (arXiv:2110.07577): gated LoRA, prefix and serial adapter in one.

Takes a `UniPELTConfig` and a model, gives a `UniPELTModel`; registered by `autopeft.tuners`.
May import: peft, torch, transformers, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.unipelt.config import UniPELTConfig
from autopeft.tuners.unipelt.layer import GatedBottleneckLayer, GatedLoraLayer
from autopeft.tuners.unipelt.model import UniPELTModel
from autopeft.tuners.unipelt.prefix import GatedPrefixLayer

config_cls = UniPELTConfig
model_cls = UniPELTModel

__all__ = [
    "GatedBottleneckLayer",
    "GatedLoraLayer",
    "GatedPrefixLayer",
    "UniPELTConfig",
    "UniPELTModel",
    "config_cls",
    "model_cls",
]
