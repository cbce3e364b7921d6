"""BitFit (arXiv:2106.10199): only bias terms are trained.

Takes a `BitFitConfig` and a model, gives a `BitFitModel`; registered by `autopeft.tuners`.
May import: peft, torch. Must not import: anything else of autopeft.
"""

from autopeft.tuners.bitfit.config import BitFitConfig
from autopeft.tuners.bitfit.layer import BitFitLayer
from autopeft.tuners.bitfit.model import BitFitModel

config_cls = BitFitConfig
model_cls = BitFitModel

__all__ = ["BitFitConfig", "BitFitLayer", "BitFitModel", "config_cls", "model_cls"]
