"""Puts parallel adapters into a model."""

from autopeft.tuners.beside_ffn import BesideFeedForwardModel
from autopeft.tuners.parallel.layer import ParallelLayer


class ParallelModel(BesideFeedForwardModel):
    """A model with a bottleneck beside each feed-forward block (arXiv:2110.04366).

    It has blocks * (2db + b + d) adapter parameters, for width d and bottleneck size b.
    """

    prefix: str = "parallel_"
    beside_layer_cls = ParallelLayer
