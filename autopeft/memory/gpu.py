"""What a GPU runs where meta tensors would take another path: fused attention, fused dropout, autocast.

Meta tensors dispatch like a device without fused kernels. The functions here are the operators that CUDA picks,
PyTorch's own operator for each (they have meta kernels), so that what the backward pass saves is what
the real kernel saves: q, k, v, output, log-sum-exp and the additive mask of attention; a byte mask for dropout.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch

_aten = torch.ops.aten
_HALF = (torch.float16, torch.bfloat16)


def _dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
    if not training or p == 0:
        return input
    return _aten.native_dropout(input, p, True)[0]


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Flash without a mask in half precision, else memory-efficient, else the math path: CUDA's order.

    Shapes: query (batch, heads, length, head_dim); key and value may have fewer heads with `enable_gqa`.
    """
    if attn_mask is None and query.dtype in _HALF and query.shape[-1] <= 256:
        out = _aten._scaled_dot_product_flash_attention(query, key, value, dropout_p, is_causal, False, scale=scale)
        return out[0]
    if enable_gqa and key.shape[1] != query.shape[1]:
        return _aten._scaled_dot_product_attention_math(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=True
        )[0]
    bias = _additive(attn_mask, query)
    grad = query.requires_grad or key.requires_grad or value.requires_grad
    out = _aten._scaled_dot_product_efficient_attention(
        query, key, value, bias, grad, dropout_p, is_causal, scale=scale
    )
    return out[0]


def _additive(mask: torch.Tensor | None, query: torch.Tensor) -> torch.Tensor | None:
    """The mask in the query's dtype, one copy in each call, expanded over heads without memory."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(mask, 0)
    return mask.expand(query.shape[0], query.shape[1], -1, -1)


GPU_OPERATORS: Mapping[Any, Callable[..., Any]] = {
    torch.nn.functional.scaled_dot_product_attention: _attention,
    torch.nn.functional.dropout: _dropout,
    torch.dropout: _dropout,
}
