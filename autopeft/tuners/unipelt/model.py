"""Puts UniPELT into a model."""

from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import names_module
from autopeft.tuners.prefix_layer import PrefixedModel
from autopeft.tuners.unipelt.config import UniPELTConfig
from autopeft.tuners.unipelt.layer import GatedBottleneckLayer, GatedLoraLayer
from autopeft.tuners.unipelt.prefix import GatedPrefixLayer


class UniPELTModel(PrefixedModel):
    """A model with gated LoRA on queries and values, a gated prefix and a gated serial adapter (arXiv:2110.07577).

    Beside the parts' own parameters it has d + 1 for each gate: one per LoRA, per prefix and per adapter.
    """

    prefix: str = "unipelt_"
    prefix_layer_cls = GatedPrefixLayer

    def layer_for(
        self, config: UniPELTConfig, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> AdapterLayer:
        """The part that belongs to this module.

        Raises:
            ValueError: query and key are one matrix.
        """
        has_lora = names_module(config.lora_modules, name)
        has_prefix = names_module(config.prefix_modules, name)
        if has_lora and has_prefix:
            raise ValueError(f"{name} makes queries and keys in one; UniPELT needs a matrix for each")
        if has_prefix:
            return self.prefix_layer(adapter_name, name, target)
        if has_lora:
            gates_prefix = names_module(config.query_modules, name)
            return GatedLoraLayer(target, adapter_name, gates_prefix=gates_prefix)
        return GatedBottleneckLayer(target, adapter_name)
