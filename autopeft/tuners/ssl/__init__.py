"""SSL (arXiv:2407.05417): trains a scale for each input of a weight.

Takes a `SslConfig` and a model, gives a `SslModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.ssl.config import SslConfig
from autopeft.tuners.ssl.layer import SslLayer
from autopeft.tuners.ssl.model import SslModel

config_cls = SslConfig
model_cls = SslModel

__all__ = ["SslConfig", "SslLayer", "SslModel", "config_cls", "model_cls"]
