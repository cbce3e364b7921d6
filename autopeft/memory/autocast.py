"""Autocast on the meta device, which has none of its own.

Casts arguments as `torch.autocast` does: matrix products to the lower precision, losses (and on CUDA what needs
range) to float32. A trained float32 weight is cast once per forward pass and kept until that ends, every other one
at each use. The lists are those of aten/src/ATen/autocast_mode.h (torch 2.x), as far as transformers and peft call
them.
"""

from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_LOWER = {
    functional.linear,
    functional.scaled_dot_product_attention,
    torch.addmm,
    torch.baddbmm,
    torch.bmm,
    torch.einsum,
    torch.matmul,
    torch.mm,
    torch.Tensor.__matmul__,
    torch.Tensor.__rmatmul__,
    torch.Tensor.bmm,
    torch.Tensor.matmul,
    torch.Tensor.mm,
}
_CPU_FLOAT = {functional.cross_entropy, functional.mse_loss}
_CUDA_FLOAT = {
    *_CPU_FLOAT,
    functional.layer_norm,
    functional.log_softmax,
    functional.softmax,
    torch.layer_norm,
    torch.pow,
    torch.rsqrt,
    torch.softmax,
    torch.Tensor.pow,
    torch.Tensor.softmax,
}


class AutocastOperators(TorchFunctionMode):
    """Casts as autocast would; enter it last, so that other modes see what it has cast.

    Args:
        dtype: of matrix products.
        device: cuda or cpu, whose lists differ.
    """

    def __init__(self, dtype: torch.dtype, device: str) -> None:
        super().__init__()
        self._dtype = dtype
        self._float = _CUDA_FLOAT if device == "cuda" else _CPU_FLOAT
        self._weights: dict[int, torch.Tensor] = {}

    def forget_weights(self) -> None:
        """Drop the weights that were kept for this forward pass."""
        self._weights.clear()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func` on cast arguments."""
        given = kwargs or {}
        dtype = self._dtype if func in _LOWER else torch.float32 if func in self._float else None
        if dtype is None:
            return func(*args, **given)
        cast_args = [self._cast(value, dtype) for value in args]
        return func(*cast_args, **{name: self._cast(value, dtype) for name, value in given.items()})

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self._cast(part, dtype) for part in value)
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.dtype == dtype:
            return value
        kept = value.requires_grad and value.is_leaf and not value._is_view() and dtype == self._dtype
        if not kept or value.dtype != torch.float32:
            return value.to(dtype)
        if id(value) not in self._weights:
            self._weights[id(value)] = value.to(dtype)
        return self._weights[id(value)]
