"""KronA (arXiv:2212.10650): the change of a weight is a Kronecker product of two small matrices.

Takes a `KronAConfig` and a model, gives a `KronAModel`; registered by `autopeft.tuners`.
May import: peft, torch, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.krona.config import KronAConfig
from autopeft.tuners.krona.layer import KronALayer
from autopeft.tuners.krona.model import KronAModel

config_cls = KronAConfig
model_cls = KronAModel

__all__ = ["KronAConfig", "KronALayer", "KronAModel", "config_cls", "model_cls"]
