"""SMILE (arXiv:2408.10174): finished adapters of one base as low-rank experts, chosen for each token without training.

Takes a `SmileConfig` and a model, gives a `SmileModel`, whose experts `fill` sets; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.smile.config import SmileConfig
from autopeft.tuners.smile.layer import SmileLayer
from autopeft.tuners.smile.model import SmileModel

config_cls = SmileConfig
model_cls = SmileModel

__all__ = ["SmileConfig", "SmileLayer", "SmileModel", "config_cls", "model_cls"]
