"""The layer of LoRETTA_rep: a low-rank difference whose factors are tensor trains."""

import torch
from torch import nn

from autopeft.tuners.linear_delta import LinearDeltaLayer
from autopeft.tuners.loretta_rep.config import LorettaRepConfig
from autopeft.tuners.tensor_train import TensorTrain


class LorettaRepLayer(LinearDeltaLayer):
    """A linear layer with a tensorised low-rank update (arXiv:2402.11417, section 3.2).

        D^T = alpha / r * A B,   A: in x r and B: r x out, both tensor trains

    Choice: the last core of B starts at zero, so that the start is the base (the authors' code draws all cores).
    """

    adapter_layer_names = ("loretta_rep_A", "loretta_rep_B")
    other_param_names = ("loretta_rep_scale",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.loretta_rep_A = nn.ModuleDict()
        self.loretta_rep_B = nn.ModuleDict()
        self.loretta_rep_scale: dict[str, float] = {}

    def add_adapter(self, adapter_name: str, config: LorettaRepConfig) -> None:
        """Make the two trains of the adapter `adapter_name`."""
        self.loretta_rep_scale[adapter_name] = config.alpha / config.r
        self.loretta_rep_A[adapter_name] = TensorTrain(self.in_features, config.r, config.tensor_rank)
        self.loretta_rep_B[adapter_name] = TensorTrain(config.r, self.out_features, config.tensor_rank, zero=True)

    def branch(self, x: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """D x through the r values between the factors."""
        first, second = self._factors(adapter_name)
        return self._cast_input_dtype(x, first.dtype) @ first @ second * self.loretta_rep_scale[adapter_name]

    def delta_weight(self, adapter_name: str) -> torch.Tensor:
        """The difference D, out x in."""
        first, second = self._factors(adapter_name)
        return (first @ second).T * self.loretta_rep_scale[adapter_name]

    def _factors(self, adapter_name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self.loretta_rep_A[adapter_name](), self.loretta_rep_B[adapter_name]()
