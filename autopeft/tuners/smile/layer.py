"""The layer of SMILE: each token takes the low-rank difference of the expert that its input lies closest to."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.linear_delta import linear_sizes
from autopeft.tuners.smile.config import SmileConfig

# Below this share of the largest singular value a direction is rounding, and routing by it would be chance.
_LEAST_SHARE = 1e-5


class SmileLayer(AdapterLayer):
    """A linear layer with low-rank experts and a router made of their singular vectors (arXiv:2408.10174, section 3).

        D_i = U_i S_i V_i' by singular value decomposition, cut to `rank`;  d_i: the expert's change of the bias
        s_i = |V_i,g' x|, g the first `gate_rank` directions;  p = softmax(s);  the largest `top_k` of p count
        y = W x + b + sum over them of p_i / (sum of theirs) * (U_i S_i V_i' x + d_i)

    Choice: directions with (next to) no singular value take no part in the routing: they are arbitrary.
    """

    adapter_layer_names = ("smile_up", "smile_down", "smile_gate", "smile_bias")
    other_param_names = ("smile_top_k",)
    why_not_merged: ClassVar[str] = "each token takes its own expert"

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.in_features, self.out_features = linear_sizes(self.get_base_layer())
        self.smile_up = nn.ParameterDict()
        self.smile_down = nn.ParameterDict()
        self.smile_gate = nn.ParameterDict()
        self.smile_bias = nn.ParameterDict()
        self.smile_top_k: dict[str, int] = {}

    def add_adapter(self, adapter_name: str, config: SmileConfig) -> None:
        """Make room for the experts, which change nothing until `fill` sets them."""
        count, rank = config.experts, min(config.rank, self.in_features, self.out_features)
        shapes = {
            "smile_up": (count, self.out_features, rank),
            "smile_down": (count, rank, self.in_features),
            "smile_gate": (count, min(config.gate_rank, rank), self.in_features),
            "smile_bias": (count, self.out_features),
        }
        for name, shape in shapes.items():
            getattr(self, name)[adapter_name] = nn.Parameter(torch.zeros(shape), requires_grad=False)
        self.smile_top_k[adapter_name] = config.top_k

    @torch.no_grad()
    def fill(self, adapter_name: str, differences: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
        """Set the experts from what each adapter changed.

        Args:
            adapter_name: whose experts.
            differences: of the weight, out x in, one for each expert.
            biases: of the bias, (out,), likewise.
        """
        up, down = self.smile_up[adapter_name], self.smile_down[adapter_name]
        gate, rank = self.smile_gate[adapter_name], self.smile_down[adapter_name].shape[1]
        for place, difference in enumerate(differences):
            left, values, right = torch.linalg.svd(difference.float(), full_matrices=False)
            used = (values > _LEAST_SHARE * values[0]).float()[:, None]
            up[place] = left[:, :rank]
            down[place] = values[:rank, None] * right[:rank]
            gate[place] = (used * right)[: gate.shape[1]]
        self.smile_bias[adapter_name].copy_(torch.stack(list(biases)))

    def adapt(self, adapter_name: str, x: Tensor, result: Tensor) -> Tensor:
        """`result` plus what each token's experts add."""
        tokens = self._cast_input_dtype(x, self.smile_down[adapter_name].dtype).reshape(-1, self.in_features)
        weights = self._weights(adapter_name, tokens)
        added = tokens.new_zeros(len(tokens), self.out_features)
        for place in range(weights.shape[1]):
            rows = weights[:, place].nonzero().squeeze(1)
            change = tokens[rows] @ self.smile_down[adapter_name][place].T @ self.smile_up[adapter_name][place].T
            change = change + self.smile_bias[adapter_name][place]
            added = added.index_add(0, rows, change * weights[rows, place, None])
        return result + added.view(result.shape).to(result.dtype)

    def _weights(self, adapter_name: str, tokens: Tensor) -> Tensor:
        """Share of each expert in each token, tokens x experts; `top_k` of them are above zero."""
        seen = torch.einsum("ni,egi->neg", tokens, self.smile_gate[adapter_name]).norm(dim=2)
        chosen = seen.softmax(1).topk(self.smile_top_k[adapter_name], dim=1)
        shares = chosen.values / chosen.values.sum(1, keepdim=True)
        return torch.zeros_like(seen).scatter(1, chosen.indices, shares)
