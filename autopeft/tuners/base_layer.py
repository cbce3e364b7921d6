"""What the layers of all own tuners share: a wrapped module whose output the active adapters change."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from autopeft.tuners.base_config import AdapterConfig


class AdapterLayer(nn.Module, BaseTunerLayer):
    """A wrapped module with adapters by name; one that cannot be merged unless a subclass says how.

    A subclass names its containers (`nn.ModuleDict` or `nn.ParameterDict`, adapter name -> values) in
    `adapter_layer_names`, fills them in `add_adapter` and uses them in `adapt`.

    Args:
        base_layer: the module to wrap.
        adapter_name: of the adapter that it is wrapped for.
    """

    adapter_layer_names: tuple[str, ...] = ()
    other_param_names: tuple[str, ...] = ()
    why_not_merged: ClassVar[str] = "the adapter has no equal weight"
    # Of peft's base class, which comes without types.
    get_base_layer: Callable[[], Any]
    set_adapter: Callable[..., None]
    active_adapters: list[str]
    merged: bool
    _cast_input_dtype: Callable[[torch.Tensor, torch.dtype], torch.Tensor]
    _move_adapter_to_device_of_base_layer: Callable[[str], None]

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__()
        self.base_layer = base_layer
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        self._active_adapter = adapter_name

    def update_layer(self, adapter_name: str, config: AdapterConfig) -> None:
        """Add the adapter `adapter_name`, on the device of the wrapped module.

        Raises:
            ValueError: the configuration does not fit the wrapped module.
        """
        self.add_adapter(adapter_name, config)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def add_adapter(self, adapter_name: str, config: Any) -> None:
        """Create the values of the adapter `adapter_name` at their start.

        Args:
            adapter_name: key of the layer's containers.
            config: of the method.
        """

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """`result` as one adapter changes it; by default not at all.

        Args:
            adapter_name: one that `add_adapter` has made.
            x: input of the wrapped module.
            result: its output, changed by the adapters before this one.
        """
        return result

    def present_adapters(self) -> Iterator[str]:
        """The active adapters that this layer has values for; none while adapters are disabled."""
        if self.disable_adapters:
            return
        for name in self.active_adapters:
            if any(name in getattr(self, container) for container in self.adapter_layer_names):
                yield name

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The wrapped module's output as the active adapters change it, one after the other.

        Args:
            x: input of the wrapped module.
            *args: handed on to it.
            **kwargs: handed on to it.

        Returns:
            Shape and dtype as the wrapped module gives them.
        """
        if self.disable_adapters and self.merged:
            self.unmerge()
        result: torch.Tensor = self.base_layer(x, *args, **kwargs)
        if not self.merged:
            for name in self.present_adapters():
                result = self.adapt(name, x, result)
        return result

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refused unless a subclass can merge.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"this adapter cannot be merged into the base model: {self.why_not_merged}")

    def unmerge(self) -> None:
        """Nothing to undo where nothing is ever merged."""

    def __repr__(self) -> str:
        return "autopeft." + super().__repr__()
