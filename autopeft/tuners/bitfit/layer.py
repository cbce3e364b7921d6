"""The layer of BitFit: a module whose bias has a trained difference."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer, check_adapters_to_merge
from torch import nn
from transformers.pytorch_utils import Conv1D

BIASED_TYPES = (nn.Linear, nn.LayerNorm, Conv1D)


class BitFitLayer(nn.Module, BaseTunerLayer):
    """A module with a trained difference d on its bias (arXiv:2106.10199): W x + (b + d).

    The bias is the last term that Linear, LayerNorm and Conv1D add, so d is added to their output. It starts
    at zero; the base's own bias is not touched until the adapter is merged.
    """

    adapter_layer_names = ("bitfit_delta",)
    # Of peft's base class, which comes without types.
    get_base_layer: Callable[[], Any]
    set_adapter: Callable[..., None]
    active_adapters: list[str]
    _move_adapter_to_device_of_base_layer: Callable[[str], None]

    def __init__(self, base_layer: nn.Module, adapter_name: str, inference_mode: bool = False) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bitfit_delta = nn.ParameterDict()
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, inference_mode)

    def update_layer(self, adapter_name: str, inference_mode: bool = False) -> None:
        """Add a bias difference, all zeros, for the adapter `adapter_name`."""
        self.bitfit_delta[adapter_name] = nn.Parameter(torch.zeros(self.get_base_layer().bias.shape))
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=inference_mode)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The wrapped module's output plus the active bias differences.

        Args:
            x: input of the wrapped module.
            *args: handed on to it.
            **kwargs: handed on to it.

        Returns:
            Shape and dtype as the wrapped module gives them.
        """
        if self.disable_adapters and self.merged:
            self.unmerge()
        result = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters or self.merged:
            return result
        for name in self.active_adapters:
            if name in self.bitfit_delta:
                result = result + self.bitfit_delta[name].to(result.dtype)
        return result

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Add the differences to the base's bias.

        Args:
            safe_merge: refuse a result that is not finite.
            adapter_names: which; by default the active ones.

        Raises:
            ValueError: `safe_merge` found a value that is not finite.
        """
        for name in check_adapters_to_merge(self, adapter_names):
            if name not in self.bitfit_delta:
                continue
            delta = self.bitfit_delta[name].detach()
            if safe_merge and not torch.isfinite(delta).all():
                raise ValueError(f"the bias difference of the adapter {name} is not finite")
            self._shift_base_bias(delta)
            self.merged_adapters.append(name)

    def unmerge(self) -> None:
        """Take the merged differences out of the base's bias again."""
        if not self.merged:
            warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)
        while self.merged_adapters:
            self._shift_base_bias(-self.bitfit_delta[self.merged_adapters.pop()].detach())

    def _shift_base_bias(self, delta: torch.Tensor) -> None:
        # A new parameter, not an update in place: the old one may be shared with the unwrapped base.
        bias = self.get_base_layer().bias
        shifted = (bias.detach() + delta.to(bias.device)).to(bias.dtype)
        self.get_base_layer().bias = nn.Parameter(shifted, requires_grad=bias.requires_grad)

    def __repr__(self) -> str:
        return "bitfit." + super().__repr__()
