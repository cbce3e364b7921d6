"""DiffPruning (arXiv:2012.07463): a difference on every weight, pruned by gates while it trains.

Takes a `DiffPruningConfig` and a model, gives a `DiffPruningModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.diffpruning.config import DiffPruningConfig
from autopeft.tuners.diffpruning.layer import DiffPruningLayer
from autopeft.tuners.diffpruning.model import DiffPruningModel

config_cls = DiffPruningConfig
model_cls = DiffPruningModel

__all__ = ["DiffPruningConfig", "DiffPruningLayer", "DiffPruningModel", "config_cls", "model_cls"]
