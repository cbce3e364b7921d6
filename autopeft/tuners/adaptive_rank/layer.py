"""The layer of AdaLoRA: an update in the form of a singular value decomposition, of which triplets are cut."""

from typing import ClassVar

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import Tensor, nn

from autopeft.tuners.adaptive_rank.config import AdaptiveRankConfig
from autopeft.tuners.linear_delta import LinearDeltaLayer

_START_SPREAD = 0.02  # of the singular vectors, as in the authors' code


class AdaptiveRankLayer(LinearDeltaLayer):
    """A linear layer with the update D = alpha / k * P diag(e) Q (arXiv:2303.10512, section 3.1, equation 3).

    P: out x k, e: k, Q: k x in, with k the starting rank. e starts at zero, so that the start is the base. A triplet
    (a column of P, its entry of e, a row of Q) is cut by setting its entry of e to zero.
    """

    adapter_layer_names = ("adaptive_rank_P", "adaptive_rank_e", "adaptive_rank_Q")
    other_param_names = ("adaptive_rank_scale",)
    changing_buffers: ClassVar[tuple[str, ...]] = ("sensitivity", "uncertainty", "kept")

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.adaptive_rank_P = nn.ParameterDict()
        self.adaptive_rank_e = nn.ParameterDict()
        self.adaptive_rank_Q = nn.ParameterDict()
        self.adaptive_rank_scale: dict[str, float] = {}
        # Of the training, not of the adapter: a checkpoint holds them, a saved adapter does not.
        self.sensitivity = BufferDict(persistent=False)
        self.uncertainty = BufferDict(persistent=False)
        self.kept = BufferDict(persistent=False)

    def add_adapter(self, adapter_name: str, config: AdaptiveRankConfig) -> None:
        """Make the triplets of the adapter `adapter_name`, and what is known of their importance: nothing."""
        rank, device = config.start_rank, self.get_base_layer().weight.device
        if rank > min(self.in_features, self.out_features):
            raise ValueError(f"a starting rank of {rank} exceeds the size of the layer")
        self.adaptive_rank_scale[adapter_name] = config.alpha / rank
        self.adaptive_rank_P[adapter_name] = nn.Parameter(torch.randn(self.out_features, rank) * _START_SPREAD)
        self.adaptive_rank_e[adapter_name] = nn.Parameter(torch.zeros(rank))
        self.adaptive_rank_Q[adapter_name] = nn.Parameter(torch.randn(rank, self.in_features) * _START_SPREAD)
        entries = (rank, self.out_features + 1 + self.in_features)
        self.sensitivity[adapter_name] = torch.zeros(entries, device=device)
        self.uncertainty[adapter_name] = torch.zeros(entries, device=device)
        self.kept[adapter_name] = torch.ones(rank, dtype=torch.bool, device=device)

    def branch(self, x: Tensor, adapter_name: str) -> Tensor:
        """D x through the k values between P and Q."""
        left, right = self.adaptive_rank_P[adapter_name], self.adaptive_rank_Q[adapter_name]
        between = self._cast_input_dtype(x, right.dtype) @ right.T
        return between * self._scaled_values(adapter_name) @ left.T

    def delta_weight(self, adapter_name: str) -> Tensor:
        """The difference D, out x in."""
        left, right = self.adaptive_rank_P[adapter_name], self.adaptive_rank_Q[adapter_name]
        return left * self._scaled_values(adapter_name) @ right

    def _scaled_values(self, adapter_name: str) -> Tensor:
        return self.adaptive_rank_e[adapter_name] * self.adaptive_rank_scale[adapter_name]

    def penalty(self, adapter_name: str) -> Tensor:
        """How far P and Q are from orthonormal: the Frobenius norms of P'P - I and QQ' - I."""
        left, right = self.adaptive_rank_P[adapter_name], self.adaptive_rank_Q[adapter_name]
        one = torch.eye(left.shape[1], dtype=left.dtype, device=left.device)
        return (left.T @ left - one).norm() + (right @ right.T - one).norm()

    def note_gradients(self, adapter_name: str, smoothing: float) -> None:
        """Smooth |value * gradient| of every entry, and how much it varies (equations 8 to 10)."""
        now = self._triplets(adapter_name, gradients=False).mul_(self._triplets(adapter_name, gradients=True)).abs_()
        mean, spread = self.sensitivity[adapter_name], self.uncertainty[adapter_name]
        mean.mul_(smoothing).add_(now, alpha=1 - smoothing)
        spread.mul_(smoothing).add_((now - mean).abs_(), alpha=1 - smoothing)

    def importance(self, adapter_name: str) -> Tensor:
        """Of each triplet, (k,): that of its singular value plus the means over its two vectors (equation 7)."""
        scores = self.sensitivity[adapter_name] * self.uncertainty[adapter_name]
        left, value, right = scores.split([self.out_features, 1, self.in_features], dim=1)
        return left.mean(1) + value.squeeze(1) + right.mean(1)

    def cut(self, adapter_name: str) -> None:
        """Set the singular values of triplets that are not kept to zero."""
        self.adaptive_rank_e[adapter_name].masked_fill_(~self.kept[adapter_name], 0.0)

    def _triplets(self, adapter_name: str, *, gradients: bool) -> Tensor:
        """Values or gradients of all triplets, k x (out + 1 + in)."""
        parameters = [getattr(self, name)[adapter_name] for name in self.adapter_layer_names]
        left, value, right = (p.grad if gradients else p.detach() for p in parameters)
        return torch.cat([left.T, value[:, None], right], dim=1)
