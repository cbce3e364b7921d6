"""The gated LoRA and the gated serial adapter of UniPELT."""

import math
from typing import Any

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.beside_ffn import Tap
from autopeft.tuners.bottleneck import Bottleneck
from autopeft.tuners.unipelt.config import UniPELTConfig


class Gate(nn.Module):
    """g(x) = sigmoid(w x + c), w: 1 x d (arXiv:2110.07577, section 3.2).

    Choice: one gate per token. The authors' code averages it over the tokens of a sequence, which would let a
    causal model's early tokens see later ones; the number of parameters is the same. It starts as `nn.Linear`.

    Args:
        features: d.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        layer = nn.Linear(features, 1)
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The gate of each token, ... x 1 for x: ... x d."""
        return torch.sigmoid(nn.functional.linear(x.to(self.weight.dtype), self.weight, self.bias))


class GatedLoraLayer(AdapterLayer):
    """A query or value projection with a gated LoRA (arXiv:2110.07577, section 3.2).

        out = W x + g(x) (alpha / r) B A x,   A: r x d_in,   B: d_out x r

    A starts as in LoRA and B at zero. A query projection also holds the gate of its attention's prefix, since
    that gate reads what the queries are made of.

    Args:
        base_layer: the projection.
        adapter_name: of the adapter that it is wrapped for.
        gates_prefix: whether it is a query projection of an attention with a prefix.
    """

    adapter_layer_names = ("unipelt_a", "unipelt_b", "unipelt_gate", "unipelt_prefix_gate")
    why_not_merged = "the gates depend on the input"

    def __init__(self, base_layer: nn.Module, adapter_name: str, *, gates_prefix: bool) -> None:
        super().__init__(base_layer, adapter_name)
        self.unipelt_a = nn.ParameterDict()
        self.unipelt_b = nn.ParameterDict()
        self.unipelt_gate = nn.ModuleDict()
        self.unipelt_prefix_gate = nn.ModuleDict()
        self.scaling: dict[str, float] = {}
        self.tap = Tap() if gates_prefix else None
        self.in_features, self.out_features = _get_in_out_features(self.get_base_layer())

    def add_adapter(self, adapter_name: str, config: UniPELTConfig) -> None:
        """Add the two factors and the gates."""
        self.scaling[adapter_name] = config.lora_alpha / config.r
        self.unipelt_a[adapter_name] = nn.Parameter(torch.empty(config.r, self.in_features))
        self.unipelt_b[adapter_name] = nn.Parameter(torch.zeros(self.out_features, config.r))
        self.unipelt_gate[adapter_name] = Gate(self.in_features)
        nn.init.kaiming_uniform_(self.unipelt_a[adapter_name], a=math.sqrt(5))
        if self.tap is not None:
            self.unipelt_prefix_gate[adapter_name] = Gate(self.in_features)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The projection's output plus the gated LoRA; keeps x for the prefix' gate.

        Args:
            x: ... x d_in.
            *args: handed on.
            **kwargs: handed on.
        """
        if self.tap is not None and not self.disable_adapters:
            self.tap.put(x)
        return super().forward(x, *args, **kwargs)

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """The output plus g(x) (alpha / r) B A x."""
        down, up = self.unipelt_a[adapter_name], self.unipelt_b[adapter_name]
        change = nn.functional.linear(nn.functional.linear(self._cast_input_dtype(x, down.dtype), down), up)
        gated = self.unipelt_gate[adapter_name](x) * self.scaling[adapter_name] * change
        return result + gated.to(result.dtype)


class GatedBottleneckLayer(AdapterLayer):
    """The last matrix of a feed-forward block with a gated serial adapter (arXiv:2110.07577, section 3.2).

        out = y + g(y) (W_up act(W_down y + c_down) + c_up),   W_down: b x d,   W_up: d x b

    y is the output of the matrix. Choice: the gate reads y too, as the library of the survey's authors has it,
    and the adapter comes before the residual is added.
    """

    adapter_layer_names = ("unipelt_bottleneck", "unipelt_gate")
    why_not_merged = "the gates depend on the input"

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.unipelt_bottleneck = nn.ModuleDict()
        self.unipelt_gate = nn.ModuleDict()
        _, self.features = _get_in_out_features(self.get_base_layer())

    def add_adapter(self, adapter_name: str, config: UniPELTConfig) -> None:
        """Add the bottleneck and its gate."""
        bottleneck = Bottleneck(self.features, config.bottleneck_size, config.non_linearity)
        self.unipelt_bottleneck[adapter_name] = bottleneck
        self.unipelt_gate[adapter_name] = Gate(self.features)

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """The output plus the gated bottleneck of it."""
        change = self.unipelt_gate[adapter_name](result) * self.unipelt_bottleneck[adapter_name](result)
        return result + change.to(result.dtype)
