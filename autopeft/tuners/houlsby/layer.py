"""The layer of Houlsby adapters: a module followed by a residual bottleneck."""

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.bottleneck import Bottleneck
from autopeft.tuners.houlsby.config import HoulsbyConfig


class HoulsbyLayer(AdapterLayer):
    """A module with a serial bottleneck on its output (arXiv:1902.00751, figure 2).

    With y the output of the wrapped module (last dimension d) and bottleneck size b:

        out = y + W_up act(W_down y + c_down) + c_up,   W_down: b x d,   W_up: d x b

    Initialisation: the paper asks for "near-identity" and draws both weights from a narrow normal
    distribution. Here, as a choice, W_up, c_up and c_down start at zero and W_down as `nn.Linear` does, so
    that the start is exactly the identity and W_up still receives a gradient.
    """

    adapter_layer_names = ("houlsby_bottleneck",)
    why_not_merged = "a non-linearity stands between the two layers of the bottleneck"

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.houlsby_bottleneck = nn.ModuleDict()
        _, self.out_features = _get_in_out_features(self.get_base_layer())

    def add_adapter(self, adapter_name: str, config: HoulsbyConfig) -> None:
        """Add the bottleneck of the adapter `adapter_name`."""
        bottleneck = Bottleneck(self.out_features, config.bottleneck_size, config.non_linearity)
        self.houlsby_bottleneck[adapter_name] = bottleneck

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """The output plus what the bottleneck makes of it."""
        return result + self.houlsby_bottleneck[adapter_name](result).to(result.dtype)
