"""Selective tuning of whole modules: attention tuning, the last blocks (arXiv:2303.15647, section 7 of v1).

Takes a `SelectedConfig` and a model, gives a `SelectedModel`; registered by `autopeft.tuners`.
May import: peft, torch, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.selected.config import SelectedConfig
from autopeft.tuners.selected.layer import SelectedLayer
from autopeft.tuners.selected.model import SelectedModel

config_cls = SelectedConfig
model_cls = SelectedModel

__all__ = ["SelectedConfig", "SelectedLayer", "SelectedModel", "config_cls", "model_cls"]
