"""What a CPU runs where meta tensors would take another path: flash attention without dropout, LAPACK's factors."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def _cpu_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Flash attention for the CPU, or with dropout, and for a mask that is trained, the math path.

    Shapes: query (batch, heads, length, head_dim); key and value may have fewer heads with `enable_gqa`.
    """
    trained_mask = attn_mask is not None and attn_mask.requires_grad
    if dropout_p > 0 or trained_mask:
        return torch.ops.aten._scaled_dot_product_attention_math(
            query, key, value, _additive(attn_mask, query), dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )[0]
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, is_causal, attn_mask=_additive(attn_mask, query), scale=scale
    )[0]


def _additive(mask: torch.Tensor | None, query: torch.Tensor) -> torch.Tensor | None:
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=query.dtype).masked_fill_(mask.logical_not(), float("-inf"))


CPU_OPERATORS: Mapping[Any, Callable[..., Any]] = {
    torch.nn.functional.scaled_dot_product_attention: _cpu_attention,
}


class LapackFactors(TorchDispatchMode):
    """Gives the right factor of a singular value decomposition on meta column by column, as LAPACK writes it.

    On meta it lies row by row, as cuSOLVER gives it. So a method that keeps some of its rows copies them on a CPU, and
    shares the whole on a GPU.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, and lay out its result anew where it is such a factor."""
        out = func(*args, **(kwargs or {}))
        if func is not torch.ops.aten._linalg_svd.default or not out[2].is_meta:
            return out
        left, values, right = out
        return left, values, torch.empty_like(right.mT, memory_format=torch.contiguous_format).mT
