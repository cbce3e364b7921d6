"""The layer of selective tuning: a trained copy stands in for the module."""

from copy import deepcopy
from typing import Any

import torch
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.selected.config import SelectedConfig


class SelectedLayer(AdapterLayer):
    """A module f with weights θ that computes f(x; θ') with a trained copy θ' of θ.

    The base's own weights stay as they are, so that disabling gives the base back and several adapters can share
    it; the copy is what is saved. It trains in the base's dtype.
    """

    adapter_layer_names = ("selected_copy",)

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.selected_copy = nn.ModuleDict()

    def add_adapter(self, adapter_name: str, config: SelectedConfig) -> None:
        """Copy the module.

        Raises:
            ValueError: its weights are quantised.
        """
        if any(not parameter.is_floating_point() for parameter in self.base_layer.parameters()):
            raise ValueError("quantised weights cannot be trained")
        self.selected_copy[adapter_name] = deepcopy(self.base_layer)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The output of the active copy; of the base where none is active.

        Args:
            x: input of the module.
            *args: handed on.
            **kwargs: handed on.

        Raises:
            ValueError: two copies are active, which have no common output.
        """
        if self.disable_adapters and self.merged:
            self.unmerge()
        active = [] if self.merged else list(self.present_adapters())
        if len(active) > 1:
            raise ValueError(f"{' and '.join(active)} each replace the same weights; activate one of them")
        module: nn.Module = self.selected_copy[active[0]] if active else self.base_layer
        result: torch.Tensor = module(x, *args, **kwargs)
        return result

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Let base and copy change places.

        Args:
            safe_merge: refuse weights that are not finite.
            adapter_names: which; by default the active one.

        Raises:
            ValueError: more than one adapter, or `safe_merge` found a value that is not finite.
        """
        names = [name for name in check_adapters_to_merge(self, adapter_names) if name in self.selected_copy]
        if len(names) > 1:
            raise ValueError(f"{' and '.join(names)} each replace the same weights; merge one of them")
        for name in names:
            if safe_merge and not all(p.isfinite().all() for p in self.selected_copy[name].parameters()):
                raise ValueError(f"the weights of the adapter {name} are not finite")
            self._swap(name)
            self.merged_adapters.append(name)

    def unmerge(self) -> None:
        """Let them change places again."""
        while self.merged_adapters:
            self._swap(self.merged_adapters.pop())

    def _swap(self, name: str) -> None:
        self.base_layer, self.selected_copy[name] = self.selected_copy[name], self.base_layer
