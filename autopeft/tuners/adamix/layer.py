"""The layer of AdaMix: a module followed by a bottleneck of which there are several copies."""

import math
from typing import ClassVar

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import Tensor, nn
from torch.nn import functional

from autopeft.tuners.adamix.config import AdaMixConfig
from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.bottleneck import non_linearity_of


class AdaMixLayer(AdapterLayer):
    """A module with a mixture of serial bottlenecks on its output (arXiv:2205.12410, sections 3.1 to 3.3).

        training:    out = y + W_up[j] act(W_down[i] y + c_down[i]) + c_up[j],   i and j drawn for each pass
        afterwards:  the same with the mean of all copies, which costs what one adapter costs

    W_down: M x b x d, W_up: M x d x b, c_down: M x b, c_up: M x d, for M copies. Choices: a serial bottleneck after
    the attention and the feed-forward, as Houlsby's; one draw for each site and pass, from the global random
    state on the CPU; W_up and the biases start at zero and W_down as `nn.Linear` draws it, so that the start is
    the base; the paper's sharing of one of the two projections is left out.
    """

    adapter_layer_names = ("adamix_down", "adamix_up", "adamix_down_bias", "adamix_up_bias")
    other_param_names = ("adamix_act",)
    why_not_merged: ClassVar[str] = "a non-linearity stands between its two matrices"
    adamix_down: nn.ParameterDict
    adamix_up: nn.ParameterDict
    adamix_down_bias: nn.ParameterDict
    adamix_up_bias: nn.ParameterDict

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        for name in self.adapter_layer_names:
            setattr(self, name, nn.ParameterDict())
        self.adamix_act: dict[str, nn.Module] = {}

    def add_adapter(self, adapter_name: str, config: AdaMixConfig) -> None:
        """Make the copies of the adapter `adapter_name`.

        Raises:
            ValueError: the non-linearity is unknown.
        """
        _, width = _get_in_out_features(self.get_base_layer())
        copies, size = config.copies, config.bottleneck_size
        # nn.Linear's own spread, by copy.
        bound = 1 / math.sqrt(width)
        self.adamix_act[adapter_name] = non_linearity_of(config.non_linearity)
        self.adamix_down[adapter_name] = nn.Parameter(torch.empty(copies, size, width).uniform_(-bound, bound))
        self.adamix_up[adapter_name] = nn.Parameter(torch.zeros(copies, width, size))
        self.adamix_down_bias[adapter_name] = nn.Parameter(torch.zeros(copies, size))
        self.adamix_up_bias[adapter_name] = nn.Parameter(torch.zeros(copies, width))

    def adapt(self, adapter_name: str, x: Tensor, result: Tensor) -> Tensor:
        """`result` plus the output of a drawn bottleneck, or of the mean one outside training."""
        down, up = self.adamix_down[adapter_name], self.adamix_up[adapter_name]
        down_bias, up_bias = self.adamix_down_bias[adapter_name], self.adamix_up_bias[adapter_name]
        if self.training:
            first, second = torch.randint(down.shape[0], (2,), device="cpu").tolist()
            down, down_bias, up, up_bias = down[first], down_bias[first], up[second], up_bias[second]
        else:
            down, down_bias, up, up_bias = (part.mean(dim=0) for part in (down, down_bias, up, up_bias))
        hidden = functional.linear(self._cast_input_dtype(result, down.dtype), down, down_bias)
        return result + functional.linear(self.adamix_act[adapter_name](hidden), up, up_bias).to(result.dtype)
