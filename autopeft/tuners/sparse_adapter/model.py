"""Puts SparseAdapter into a model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autopeft.tuners.base_model import AdapterModel
from autopeft.tuners.sparse_adapter.layer import SparseAdapterLayer


class SparseAdapterModel(AdapterModel):
    """A model with a sparse bottleneck after each target module (arXiv:2210.04284).

    It has sites * (2 round(density * d * b) + b + d) adapter parameters.
    """

    prefix: str = "sparse_adapter_"
    tuner_layer_cls = SparseAdapterLayer

    def layer_for(
        self, config: Any, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> SparseAdapterLayer:
        """A layer around any module that has an output width."""
        return SparseAdapterLayer(target, adapter_name)

    def start_from_data(
        self, loss_of: Callable[[Mapping[str, Tensor]], Tensor], batches: Sequence[Mapping[str, Tensor]]
    ) -> None:
        """Choose the kept entries by SNIP, if the configuration says so.

        Args:
            loss_of: of a batch.
            batches: of the first step.
        """
        name = self.active_adapters[0]
        if self.peft_config[name].criterion != "snip":
            return
        layers = [module for module in self.model.modules() if isinstance(module, SparseAdapterLayer)]
        for layer in layers:
            layer.draw_whole(name)
        for batch in batches:
            loss_of(batch).backward()
        with torch.no_grad():
            for layer in layers:
                layer.keep_what_matters(name)
