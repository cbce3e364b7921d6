"""The layer of LoRETTA_adp: a module followed by a residual bottleneck of two tensor trains."""

from typing import ClassVar

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.bottleneck import non_linearity_of
from autopeft.tuners.loretta_adp.config import LorettaAdpConfig
from autopeft.tuners.tensor_train import TensorTrain


class LorettaAdpLayer(AdapterLayer):
    """A module with a serial tensorised bottleneck on its output (arXiv:2402.11417, section 3.2).

        out = y + (act(y D + c_D)) U + c_U,   D: d x b and U: b x d, both tensor trains

    Choices: the last core of U and both biases start at zero, so that the start is the base (the authors' code
    draws all cores); norms stay frozen (the paper trains them too, with its published code not reaching them).
    """

    adapter_layer_names = ("loretta_adp_down", "loretta_adp_up", "loretta_adp_down_bias", "loretta_adp_up_bias")
    other_param_names = ("loretta_adp_act",)
    why_not_merged: ClassVar[str] = "a non-linearity stands between its two matrices"

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.loretta_adp_down = nn.ModuleDict()
        self.loretta_adp_up = nn.ModuleDict()
        self.loretta_adp_down_bias = nn.ParameterDict()
        self.loretta_adp_up_bias = nn.ParameterDict()
        self.loretta_adp_act: dict[str, nn.Module] = {}

    def add_adapter(self, adapter_name: str, config: LorettaAdpConfig) -> None:
        """Make the bottleneck of the adapter `adapter_name`.

        Raises:
            ValueError: the non-linearity is unknown.
        """
        _, width = _get_in_out_features(self.get_base_layer())
        size, rank = config.bottleneck_size, config.tensor_rank
        self.loretta_adp_act[adapter_name] = non_linearity_of(config.non_linearity)
        self.loretta_adp_down[adapter_name] = TensorTrain(width, size, rank)
        self.loretta_adp_up[adapter_name] = TensorTrain(size, width, rank, zero=True)
        self.loretta_adp_down_bias[adapter_name] = nn.Parameter(torch.zeros(size))
        self.loretta_adp_up_bias[adapter_name] = nn.Parameter(torch.zeros(width))

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """`result` plus the bottleneck's output."""
        down = self.loretta_adp_down[adapter_name]()
        hidden = self._cast_input_dtype(result, down.dtype) @ down + self.loretta_adp_down_bias[adapter_name]
        hidden = self.loretta_adp_act[adapter_name](hidden)
        up = self.loretta_adp_up[adapter_name]()
        return result + (hidden @ up + self.loretta_adp_up_bias[adapter_name]).to(result.dtype)
