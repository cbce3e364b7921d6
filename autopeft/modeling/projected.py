"""GaLore (arXiv:2403.03507): AdamW whose moments of a matrix live in a low-rank subspace of its gradients."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class ProjectedAdamW(torch.optim.Optimizer):
    """AdamW with decoupled weight decay; in groups with a `projection_rank` on projected gradients.

        G: the gradient, m x n;  Q: the first r singular directions of G on its shorter side
        R = G Q' (m >= n), or Q' G (m < n);  N = the step that Adam takes on R
        W <- W - lr * scale * (N Q, or Q N) - lr * weight_decay * W

    Source: algorithm 2 and section 4; Q is taken anew from the gradient every `projection_interval` updates while the
    moments go on, as in the authors' code (jiaweizzhao/GaLore, galore_projector.py). Choice: a matrix whose shorter
    side is no longer than r is updated as it is. State of an m x n matrix: 2 r max(m, n) + r min(m, n) values.

    Args:
        groups: parameter groups.
        learning_rate: of all.
        weight_decay: of all.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], learning_rate: float, weight_decay: float) -> None:
        defaults = {"lr": learning_rate, "weight_decay": weight_decay, "projection_rank": None}
        super().__init__([dict(group) for group in groups], defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # nothing here evaluates a closure
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rank = self.state[parameter], group["projection_rank"]
        projected = rank is not None and gradient.dim() == 2 and min(gradient.shape) > rank
        if "step" not in state:
            state["step"] = torch.zeros((), dtype=torch.float32, device="cpu")
        if projected and ("projection" not in state or int(state["step"]) % group["projection_interval"] == 0):
            state["projection"] = leading_directions(gradient, rank)
        small = project(gradient, state["projection"]) if projected else gradient
        moved = _adam_step(state, small)
        if projected:
            moved = project_back(moved, state["projection"], gradient.shape).mul_(group["projection_scale"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(moved.to(parameter.dtype), alpha=-group["lr"])


def leading_directions(gradient: Tensor, rank: int) -> Tensor:
    """The first `rank` singular directions of a gradient on its shorter side: rank x min(m, n)."""
    left, _, right = torch.linalg.svd(gradient.float(), full_matrices=False)
    tall = gradient.shape[0] >= gradient.shape[1]
    return (right[:rank] if tall else left[:, :rank].T).to(gradient.dtype).contiguous()


def project(gradient: Tensor, directions: Tensor) -> Tensor:
    """The gradient within the directions: m x rank where m >= n, else rank x n."""
    tall = gradient.shape[0] >= gradient.shape[1]
    return gradient @ directions.T if tall else directions @ gradient


def project_back(small: Tensor, directions: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of `project` on what lies within the directions: m x n."""
    return small @ directions if shape[0] >= shape[1] else directions.T @ small


def _adam_step(state: dict[str, Tensor], gradient: Tensor) -> Tensor:
    """Bias-corrected Adam's step for a learning rate of one; moments are made at the first."""
    if "exp_avg" not in state:
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    first, second, taken = state["exp_avg"], state["exp_avg_sq"], int(state["step"])
    first.lerp_(gradient, 1 - _BETAS[0])
    second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
    spread = second.sqrt().div_((1 - _BETAS[1] ** taken) ** 0.5).add_(_EPSILON)
    return first.div(1 - _BETAS[0] ** taken).div_(spread)
