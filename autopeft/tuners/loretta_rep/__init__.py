"""LoRETTA_rep (arXiv:2402.11417): low-rank updates whose two factors are tensor trains.

Takes a `LorettaRepConfig` and a model, gives a `LorettaRepModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.loretta_rep.config import LorettaRepConfig
from autopeft.tuners.loretta_rep.layer import LorettaRepLayer
from autopeft.tuners.loretta_rep.model import LorettaRepModel

config_cls = LorettaRepConfig
model_cls = LorettaRepModel

__all__ = ["LorettaRepConfig", "LorettaRepLayer", "LorettaRepModel", "config_cls", "model_cls"]
