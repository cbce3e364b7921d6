"""Puts Compacter into a model."""

from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import AdapterModel
from autopeft.tuners.compacter.config import CompacterConfig
from autopeft.tuners.compacter.layer import CompacterLayer


class CompacterModel(AdapterModel):
    """A model with a hypercomplex bottleneck after each target module (arXiv:2106.04647).

    It has n^3 + sites * (2 (d + b) r + b + d) adapter parameters.
    """

    prefix: str = "compacter_"

    def layer_for(
        self, config: CompacterConfig, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> CompacterLayer:
        """A bottleneck after every target."""
        return CompacterLayer(target, adapter_name)

    def fill(self, layer: AdapterLayer, adapter_name: str, config: CompacterConfig) -> None:
        """Give `layer` its bottleneck, with the shared matrices of the site that holds them."""
        if isinstance(layer, CompacterLayer):
            others = (other for other in self.model.modules() if isinstance(other, CompacterLayer))
            having = (other for other in others if adapter_name in other.compacter_rule)
            layer.rule_holders[adapter_name] = next(having, layer)
        super().fill(layer, adapter_name, config)
