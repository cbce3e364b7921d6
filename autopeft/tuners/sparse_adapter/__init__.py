"""SparseAdapter (arXiv:2210.04284): wide serial adapters of which only some entries are kept.

Takes a `SparseAdapterConfig` and a model, gives a `SparseAdapterModel`; registered by `autopeft.tuners`.
May import: peft, torch, the shared modules of tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.sparse_adapter.config import SparseAdapterConfig
from autopeft.tuners.sparse_adapter.layer import SparseAdapterLayer
from autopeft.tuners.sparse_adapter.model import SparseAdapterModel

config_cls = SparseAdapterConfig
model_cls = SparseAdapterModel

__all__ = ["SparseAdapterConfig", "SparseAdapterLayer", "SparseAdapterModel", "config_cls", "model_cls"]
