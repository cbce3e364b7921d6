"""Methods that read the base's own weight, on the meta device's quantised layers: as peft does on bitsandbytes' ones.

Modelled is memory, not arithmetic, after peft 0.21.2 (utils/quantization_utils.py, tuners/hira/bnb.py).

Shapes: K input and N output features.
"""

from typing import Any

import torch
from peft.tuners.hira.layer import Linear as HiraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.quantization_utils import QuantizationBackend
from torch import Tensor, nn

from autopeft.modeling.quantized_layers import QuantizedLinear


class MetaBackend(QuantizationBackend):
    """What SHiRA, VeRA and others ask for a quantised layer's weight, (N, K), and for a result to add to."""

    supports_merge = True
    backend_name = "bitsandbytes on meta"
    layer_type = "linear"

    def __init__(self, layer: QuantizedLinear) -> None:
        self._copies = layer.layout != "int8"

    def get_base_weight(self, base_layer: nn.Module) -> Tensor:
        """A fresh weight."""
        assert isinstance(base_layer, QuantizedLinear)
        return base_layer.dequantize()

    def maybe_clone_base_result(self, x: Tensor) -> Tensor:
        """A copy where the layer is 4-bit."""
        return x.clone() if self._copies else x


class QuantizedHira(HiraLinear):
    """HiRA on a quantised layer: peft dequantises the weight beside the layer's own product."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The base layer's result, cloned where it is 4-bit, plus W * (B A) of each adapter on the input."""
        layer = self.get_base_layer()
        result = self.base_layer(x, *args, **kwargs)
        if layer.layout != "int8":
            result = result.clone()
        weight = layer.dequantize()
        for name in self.active_adapters:
            if name in self.hira_A:
                result = self._add(name, x, result, weight, cast=not layer.autocast)
        return result

    def _add(self, name: str, x: Tensor, result: Tensor, weight: Tensor, *, cast: bool) -> Tensor:
        down, up = self.hira_A[name], self.hira_B[name]
        x = self._cast_input_dtype(x, down.dtype) if cast else x
        output = torch.nn.functional.linear(self.hira_dropout[name](x), weight * (up @ down))
        return result + (output.to(result.dtype) if cast else output)


def fit_quantized_layers(wrapped: nn.Module) -> None:
    """Let the adapters on a quantised base on meta find its weights; elsewhere nothing changes.

    Args:
        wrapped: a model that peft has wrapped; changed.
    """
    for module in wrapped.modules():
        if isinstance(module, BaseTunerLayer) and isinstance(layer := module.get_base_layer(), QuantizedLinear):
            if "quantization_backend" in vars(module):
                module.quantization_backend = MetaBackend(layer)
            if type(module) is HiraLinear:
                # peft chooses HiRA's layer by the base layer's type and takes no other into its list.
                module.__class__ = QuantizedHira
