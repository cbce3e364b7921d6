"""The layer of Houlsby adapters: a module followed by a residual bottleneck."""

from collections.abc import Callable
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer, _get_in_out_features
from torch import nn

from autopeft.tuners.houlsby.config import HoulsbyConfig

NON_LINEARITIES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class HoulsbyLayer(nn.Module, BaseTunerLayer):
    """A module with a serial bottleneck on its output (arXiv:1902.00751, figure 2).

    With y the output of the wrapped module (last dimension d) and bottleneck size b:

        out = y + W_up act(W_down y + c_down) + c_up,   W_down: b x d,   W_up: d x b

    Initialisation: the paper asks for "near-identity" and draws both weights from a narrow normal
    distribution. Here, as a choice, W_up, c_up and c_down start at zero and W_down as `nn.Linear` does, so
    that the start is exactly the identity and W_up still receives a gradient.
    """

    adapter_layer_names = ("houlsby_down", "houlsby_up")
    other_param_names = ("bottleneck_size",)
    # Of peft's base class, which comes without types.
    get_base_layer: Callable[[], Any]
    set_adapter: Callable[..., None]
    active_adapters: list[str]
    _cast_input_dtype: Callable[[torch.Tensor, torch.dtype], torch.Tensor]
    _move_adapter_to_device_of_base_layer: Callable[[str], None]

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: HoulsbyConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.houlsby_down = nn.ModuleDict()
        self.houlsby_up = nn.ModuleDict()
        self.activations: dict[str, nn.Module] = {}
        self.bottleneck_size: dict[str, int] = {}
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        _, self.out_features = _get_in_out_features(self.get_base_layer())
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: HoulsbyConfig) -> None:
        """Add the bottleneck of the adapter `adapter_name`.

        Raises:
            ValueError: the non-linearity is unknown.
        """
        if config.non_linearity not in NON_LINEARITIES:
            raise ValueError(f"non_linearity {config.non_linearity!r} is not one of {', '.join(NON_LINEARITIES)}")
        self.bottleneck_size[adapter_name] = config.bottleneck_size
        self.activations[adapter_name] = NON_LINEARITIES[config.non_linearity]()
        down = nn.Linear(self.out_features, config.bottleneck_size)
        up = nn.Linear(config.bottleneck_size, self.out_features)
        for at_zero in (down.bias, up.weight, up.bias):
            nn.init.zeros_(at_zero)
        self.houlsby_down[adapter_name] = down
        self.houlsby_up[adapter_name] = up
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The wrapped module's output, run through the active bottlenecks one after the other.

        Args:
            x: input of the wrapped module.
            *args: handed on to it.
            **kwargs: handed on to it.

        Returns:
            Shape and dtype as the wrapped module gives them.
        """
        result = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return result
        for name in self.active_adapters:
            if name in self.houlsby_down:
                result = self._bottleneck(result, name)
        return result

    def _bottleneck(self, y: torch.Tensor, name: str) -> torch.Tensor:
        down, up = self.houlsby_down[name], self.houlsby_up[name]
        hidden = self.activations[name](down(self._cast_input_dtype(y, next(down.parameters()).dtype)))
        return y + up(hidden).to(y.dtype)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refused: a non-linear bottleneck has no equal linear layer.

        Raises:
            ValueError: always.
        """
        raise ValueError("Houlsby adapters hold a non-linearity and cannot be merged into the base model")

    def unmerge(self) -> None:
        """Nothing to undo, since nothing is ever merged."""

    def __repr__(self) -> str:
        return "houlsby." + super().__repr__()
