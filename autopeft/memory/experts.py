"""The matrix products of a mixture of experts on the meta device.

Tokens are sorted by expert and multiplied group by group. PyTorch's own operator counts no floating point operations
and has a meta kernel for bfloat16 alone; here the groups are of equal size, which changes neither the work nor the
memory.
"""

from typing import Any

import torch
from torch import Tensor


def grouped_product(tokens: Tensor, experts: Tensor, offs: Tensor | None = None, **_: Any) -> Tensor:
    """Stands in for `torch.nn.functional.grouped_mm`.

    Args:
        tokens: sorted by expert, shape (tokens, inputs).
        experts: a matrix each, shape (experts, inputs, outputs).
        offs: where each expert's tokens end; no value of it is known here.

    Returns:
        Shape (tokens, outputs).
    """
    product: Tensor = _GroupedProduct.apply(tokens, experts, offs)
    return product


class _GroupedProduct(torch.autograd.Function):
    """Saves what the operator saves: each factor if the other one trains, and the ends of the groups."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, experts: Tensor, offs: Tensor | None) -> Tensor:
        tokens_train, experts_train, _ = ctx.needs_input_grad
        ctx.experts = experts.shape[0]
        ctx.save_for_backward(tokens if experts_train else None, experts if tokens_train else None, offs)
        return _product(tokens, experts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        tokens, experts, _ = ctx.saved_tensors
        to_tokens = None if experts is None else _product(gradient, experts.transpose(1, 2))
        to_experts = None if tokens is None else _product_of_groups(tokens, gradient, ctx.experts)
        return to_tokens, to_experts, None


def _product(tokens: Tensor, experts: Tensor) -> Tensor:
    count = experts.shape[0]
    if tokens.shape[0] % count:
        return tokens.mm(experts[0])
    return tokens.reshape(count, -1, tokens.shape[1]).bmm(experts).view(tokens.shape[0], -1)


def _product_of_groups(tokens: Tensor, gradient: Tensor, count: int) -> Tensor:
    """The gradient of the experts' matrices: each from its own tokens."""
    if tokens.shape[0] % count:
        return tokens.new_empty(count, tokens.shape[1], gradient.shape[1])
    grouped = tokens.reshape(count, -1, tokens.shape[1])
    return grouped.transpose(1, 2).bmm(gradient.reshape(count, -1, gradient.shape[1]))
