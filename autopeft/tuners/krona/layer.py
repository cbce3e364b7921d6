"""The layer of KronA: a matrix with a trained Kronecker product beside it."""

import math

import torch
from torch import nn

from autopeft.tuners.krona.config import KronAConfig
from autopeft.tuners.kronecker import kronecker_linear, nearest_factors
from autopeft.tuners.linear_delta import LinearDeltaLayer


class KronALayer(LinearDeltaLayer):
    """A matrix whose change is a scaled Kronecker product (arXiv:2212.10650, section 3).

    For W: d_out x d_in with d_in = a2 b2 and d_out = a1 b1:

        out = W x + s (A ⊗ B) x,   A: a1 x a2,   B: b1 x b2

    Choices: the factors of a width are the two closest to each other, the smaller one for A; A starts at zero
    and B as `nn.Linear` starts, so that the start is the base. With `right_rank` r below half of B's longer
    side, B = U V, U: b1 x r, V: r x b2, which is what peft's LoKr trains and what the survey counted.
    """

    adapter_layer_names = ("krona_left", "krona_right", "krona_right_up", "krona_right_down")

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.krona_left = nn.ParameterDict()
        self.krona_right = nn.ParameterDict()
        self.krona_right_up = nn.ParameterDict()
        self.krona_right_down = nn.ParameterDict()
        self.scaling: dict[str, float] = {}

    def add_adapter(self, adapter_name: str, config: KronAConfig) -> None:
        """Add the two factors."""
        (a2, b2), (a1, b1) = nearest_factors(self.in_features), nearest_factors(self.out_features)
        rank = config.right_rank
        self.scaling[adapter_name] = config.scaling
        self.krona_left[adapter_name] = nn.Parameter(torch.zeros(a1, a2))
        if rank == 0 or 2 * rank >= max(b1, b2):
            self.krona_right[adapter_name] = _drawn(b1, b2)
        else:
            self.krona_right_up[adapter_name] = _drawn(b1, rank)
            self.krona_right_down[adapter_name] = _drawn(rank, b2)

    def right_factor(self, adapter_name: str) -> torch.Tensor:
        """B of one adapter, b1 x b2."""
        if adapter_name in self.krona_right:
            return self.krona_right[adapter_name]
        return self.krona_right_up[adapter_name] @ self.krona_right_down[adapter_name]

    def delta_weight(self, adapter_name: str) -> torch.Tensor:
        """The change s (A ⊗ B), out x in."""
        return self.scaling[adapter_name] * torch.kron(self.krona_left[adapter_name], self.right_factor(adapter_name))

    def branch(self, x: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """The change s (A ⊗ B) x, without forming the product."""
        left = self.krona_left[adapter_name]
        change = kronecker_linear(self._cast_input_dtype(x, left.dtype), left, self.right_factor(adapter_name))
        return self.scaling[adapter_name] * change


def _drawn(rows: int, columns: int) -> nn.Parameter:
    values = torch.empty(rows, columns)
    nn.init.kaiming_uniform_(values, a=math.sqrt(5))
    return nn.Parameter(values)
