"""Puts MAM adapters into a model."""

from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import names_module
from autopeft.tuners.beside_ffn import BesideFeedForwardModel
from autopeft.tuners.mam.config import MamConfig
from autopeft.tuners.parallel.layer import ParallelLayer
from autopeft.tuners.prefix_layer import PrefixedModel


class MamModel(PrefixedModel, BesideFeedForwardModel):
    """A model with a prefix in every attention and an adapter beside every feed-forward (arXiv:2110.04366).

        attention: softmax(Q [P_K; K]^T s + mask) [P_V; V]   (`PrefixLayer`)
        feed-forward: FFN(x) + s (W_up act(W_down x + c_down) + c_up)   (`ParallelLayer`)

    The two parts share nothing; each is counted by its own formula.
    """

    prefix: str = "mam_"
    beside_layer_cls = ParallelLayer

    def layer_for(
        self, config: MamConfig, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> AdapterLayer | None:
        """A prefix for a key projection; the ends of the branch for a feed-forward block."""
        if names_module(config.prefix_modules, name):
            return self.prefix_layer(adapter_name, name, target)
        return super().layer_for(config, adapter_name, name, target, parent)
