"""LoRETTA_adp (arXiv:2402.11417): serial adapters whose two matrices are tensor trains.

Takes a `LorettaAdpConfig` and a model, gives a `LorettaAdpModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.loretta_adp.config import LorettaAdpConfig
from autopeft.tuners.loretta_adp.layer import LorettaAdpLayer
from autopeft.tuners.loretta_adp.model import LorettaAdpModel

config_cls = LorettaAdpConfig
model_cls = LorettaAdpModel

__all__ = ["LorettaAdpConfig", "LorettaAdpLayer", "LorettaAdpModel", "config_cls", "model_cls"]
