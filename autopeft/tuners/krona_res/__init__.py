"""KronA^B_res (arXiv:2212.10650): a Kronecker product and a residual beside the feed-forward block.

Takes a `KronAResConfig` and a model, gives a `KronAResModel`; registered by `autopeft.tuners`.
May import: peft, torch, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.krona_res.config import KronAResConfig
from autopeft.tuners.krona_res.layer import KronAResLayer
from autopeft.tuners.krona_res.model import KronAResModel

config_cls = KronAResConfig
model_cls = KronAResModel

__all__ = ["KronAResConfig", "KronAResLayer", "KronAResModel", "config_cls", "model_cls"]
