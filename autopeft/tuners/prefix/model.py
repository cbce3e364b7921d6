"""Puts prefixes into every attention of a model."""

from torch import nn

from autopeft.tuners.prefix.config import PrefixConfig
from autopeft.tuners.prefix_layer import PrefixedModel, PrefixLayer


class PrefixModel(PrefixedModel):
    """A model with a prefix in every targeted attention (arXiv:2101.00190).

    Flat it has attentions * 2 * l * kv adapter parameters, for length l and key width kv; through the network,
    per kind of attention, l * d + d * b + b + (b + 1) * attentions * 2 * kv.
    """

    prefix: str = "prefix_"

    def layer_for(
        self, config: PrefixConfig, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> PrefixLayer:
        """A prefix for every target."""
        return self.prefix_layer(adapter_name, name, target)
