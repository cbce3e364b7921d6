"""LT-SFT (arXiv:2110.07560): full fine-tuning chooses the entries, which then train from the start again.

Takes a `LtSftConfig` and a model, gives a `LtSftModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.ltsft.config import LtSftConfig
from autopeft.tuners.ltsft.layer import LtSftLayer
from autopeft.tuners.ltsft.model import LtSftModel

config_cls = LtSftConfig
model_cls = LtSftModel

__all__ = ["LtSftConfig", "LtSftLayer", "LtSftModel", "config_cls", "model_cls"]
