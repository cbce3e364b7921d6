"""The parts of S4 other than its prefixes: LoRA and biases on projections, adapters and biases on feed-forwards."""

import math

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.bottleneck import Bottleneck
from autopeft.tuners.s4.config import S4Config


class S4Layer(AdapterLayer):
    """A module that belongs to a group of layers.

    Args:
        base_layer: the module.
        adapter_name: of the adapter that it is wrapped for.
        mix: letters of what its group tunes, as in `MIXES`.
    """

    why_not_merged = "its prefixes and adapters have no equal weight"

    def __init__(self, base_layer: nn.Module, adapter_name: str, mix: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.mix = mix
        self.s4_bias = nn.ParameterDict()
        self.in_features, self.out_features = _get_in_out_features(self.get_base_layer())

    def add_adapter(self, adapter_name: str, config: S4Config) -> None:
        """Add a bias, or the difference on it, where the group tunes biases; it starts at zero."""
        if "b" in self.mix:
            self.s4_bias[adapter_name] = nn.Parameter(torch.zeros(self.out_features))

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """The output plus the trained bias."""
        return result + self.s4_bias[adapter_name].to(result.dtype) if adapter_name in self.s4_bias else result


class S4ProjectionLayer(S4Layer):
    """A query or value projection: out = W x + c + (alpha / r) B A x,  A: r x d_in,  B: d_out x r.

    c in the groups with biases, A and B in those with LoRA; A starts as in LoRA and B at zero.
    """

    adapter_layer_names = ("s4_a", "s4_b", "s4_bias")

    def __init__(self, base_layer: nn.Module, adapter_name: str, mix: str) -> None:
        super().__init__(base_layer, adapter_name, mix)
        self.s4_a = nn.ParameterDict()
        self.s4_b = nn.ParameterDict()
        self.scaling: dict[str, float] = {}

    def add_adapter(self, adapter_name: str, config: S4Config) -> None:
        """Add the two factors and the bias, as far as the group has them."""
        super().add_adapter(adapter_name, config)
        if "l" in self.mix:
            self.scaling[adapter_name] = config.lora_alpha / config.r
            self.s4_a[adapter_name] = nn.Parameter(torch.empty(config.r, self.in_features))
            self.s4_b[adapter_name] = nn.Parameter(torch.zeros(self.out_features, config.r))
            nn.init.kaiming_uniform_(self.s4_a[adapter_name], a=math.sqrt(5))

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """The output plus bias and low-rank product."""
        result = super().adapt(adapter_name, x, result)
        if adapter_name not in self.s4_a:
            return result
        down, up = self.s4_a[adapter_name], self.s4_b[adapter_name]
        change = nn.functional.linear(nn.functional.linear(self._cast_input_dtype(x, down.dtype), down), up)
        return result + (self.scaling[adapter_name] * change).to(result.dtype)


class S4OutputLayer(S4Layer):
    """The last matrix of a feed-forward block: with y = W x + c, out = y + W_up act(W_down y + c_down) + c_up.

    c in the groups with biases, the bottleneck (W_down: b x d, W_up: d x b) in those with adapters.
    """

    adapter_layer_names = ("s4_bottleneck", "s4_bias")

    def __init__(self, base_layer: nn.Module, adapter_name: str, mix: str) -> None:
        super().__init__(base_layer, adapter_name, mix)
        self.s4_bottleneck = nn.ModuleDict()

    def add_adapter(self, adapter_name: str, config: S4Config) -> None:
        """Add the bottleneck and the bias, as far as the group has them."""
        super().add_adapter(adapter_name, config)
        if "a" in self.mix:
            self.s4_bottleneck[adapter_name] = Bottleneck(self.out_features, config.share, config.non_linearity)

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """The output plus the bias, and what the bottleneck makes of both."""
        result = super().adapt(adapter_name, x, result)
        if adapter_name not in self.s4_bottleneck:
            return result
        return result + self.s4_bottleneck[adapter_name](result).to(result.dtype)
