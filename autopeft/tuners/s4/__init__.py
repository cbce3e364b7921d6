"""S4 (arXiv:2301.01821): adapters, prefixes, LoRA and biases, a mix of its own for each quarter of the depth.

Takes an `S4Config` and a model, gives an `S4Model`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.s4.config import S4Config
from autopeft.tuners.s4.layer import S4OutputLayer, S4ProjectionLayer
from autopeft.tuners.s4.model import S4Model

config_cls = S4Config
model_cls = S4Model

__all__ = ["S4Config", "S4Model", "S4OutputLayer", "S4ProjectionLayer", "config_cls", "model_cls"]
