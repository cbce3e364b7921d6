"""SaRA (arXiv:2409.06633): trains the weights of smallest magnitude, under a nuclear-norm penalty.

Takes a `SaraConfig` and a model, gives a `SaraModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.sara.config import SaraConfig
from autopeft.tuners.sara.layer import SaraLayer
from autopeft.tuners.sara.model import SaraModel

config_cls = SaraConfig
model_cls = SaraModel

__all__ = ["SaraConfig", "SaraLayer", "SaraModel", "config_cls", "model_cls"]
