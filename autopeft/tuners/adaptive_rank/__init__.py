"""AdaLoRA (arXiv:2303.10512): low-rank updates whose ranks are handed out among the matrices while training.

Takes an `AdaptiveRankConfig` and a model, gives an `AdaptiveRankModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.adaptive_rank.config import AdaptiveRankConfig
from autopeft.tuners.adaptive_rank.layer import AdaptiveRankLayer
from autopeft.tuners.adaptive_rank.model import AdaptiveRankModel

config_cls = AdaptiveRankConfig
model_cls = AdaptiveRankModel

__all__ = ["AdaptiveRankConfig", "AdaptiveRankLayer", "AdaptiveRankModel", "config_cls", "model_cls"]
