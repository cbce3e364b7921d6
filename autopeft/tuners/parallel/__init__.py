"""Parallel and scaled parallel adapters (arXiv:2110.04366): bottlenecks beside the feed-forward block.

Takes a `ParallelConfig` and a model, gives a `ParallelModel`; registered by `autopeft.tuners`.
May import: peft, torch, tuners. Must not import: anything else of autopeft.
"""

from autopeft.tuners.parallel.config import ParallelConfig
from autopeft.tuners.parallel.layer import ParallelLayer
from autopeft.tuners.parallel.model import ParallelModel

config_cls = ParallelConfig
model_cls = ParallelModel

__all__ = ["ParallelConfig", "ParallelLayer", "ParallelModel", "config_cls", "model_cls"]
