"""The layer of KronA^B_res: a Kronecker product beside the feed-forward block."""

import math

import torch
from torch import nn

from autopeft.tuners.beside_ffn import BesideLayer, InputLayer
from autopeft.tuners.krona_res.config import KronAResConfig
from autopeft.tuners.kronecker import kronecker_linear, nearest_factors


class KronAResLayer(BesideLayer):
    """A feed-forward block with a Kronecker product and a residual beside it (arXiv:2212.10650, section 3).

    With x the input of the block, d = a b its width:

        out = FFN(x) + s (A ⊗ B) x + s_res x,   A: a x a,   B: b x b,   s_res: one number per block

    There is no non-linearity, which the paper drops for speed. The published text that was at hand leaves the
    rest open, so these are choices: a and b are the two factors of d closest to each other, the smaller one for
    A; A and s_res start at zero and B as `nn.Linear` starts, so that the start is the base; x is what the block's
    first matrix sees.
    """

    adapter_layer_names = ("krona_res_left", "krona_res_right", "krona_res_residual")
    why_not_merged = "its product stands beside the whole feed-forward block, and no single weight equals it"

    def __init__(self, base_layer: nn.Module, adapter_name: str, start: InputLayer) -> None:
        super().__init__(base_layer, adapter_name, start)
        self.krona_res_left = nn.ParameterDict()
        self.krona_res_right = nn.ParameterDict()
        self.krona_res_residual = nn.ParameterDict()
        self.scaling: dict[str, float] = {}

    def add_adapter(self, adapter_name: str, config: KronAResConfig) -> None:
        """Add the two factors and, if it is wanted, the residual's factor."""
        left, right = nearest_factors(self.features)
        self.scaling[adapter_name] = config.scaling
        self.krona_res_left[adapter_name] = nn.Parameter(torch.zeros(left, left))
        self.krona_res_right[adapter_name] = nn.Parameter(torch.empty(right, right))
        nn.init.kaiming_uniform_(self.krona_res_right[adapter_name], a=math.sqrt(5))
        if config.residual:
            self.krona_res_residual[adapter_name] = nn.Parameter(torch.zeros(1))

    def branch(self, adapter_name: str, x: torch.Tensor) -> torch.Tensor:
        """The branch s (A ⊗ B) x + s_res x."""
        left, right = self.krona_res_left[adapter_name], self.krona_res_right[adapter_name]
        x = self._cast_input_dtype(x, left.dtype)
        output = self.scaling[adapter_name] * kronecker_linear(x, left, right)
        if adapter_name in self.krona_res_residual:
            output = output + self.krona_res_residual[adapter_name] * x
        return output
