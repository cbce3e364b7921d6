"""Sparse tensors and boolean masks on the meta device, which has neither: what they allocate, without their values.

A sparse matrix is an object of its own that knows its indices and values; it is added to a dense one entry by entry
and made dense by scattering, with the temporaries of both directions. A mask that picks entries is taken to pick all
of them, the most that it can.
"""

from typing import Any

import torch
from torch import Tensor


def sparse_coo_tensor(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`torch.sparse_coo_tensor`, with an object that stands for the result on meta."""
    return SparseMatrix(args[0], args[1], tuple(args[2])) if args[1].is_meta else func(*args, **kwargs)


def sparse_product(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`torch.sparse.mm`, also of what stands for a sparse matrix on meta."""
    return args[0].times(args[1]) if isinstance(args[0], SparseMatrix) else func(*args, **kwargs)


def all_picked(index: Any) -> Any:
    """An index with every boolean vector on meta replaced by all positions."""
    if isinstance(index, tuple):
        return tuple(map(all_picked, index))
    if isinstance(index, Tensor) and index.is_meta and index.dtype == torch.bool and index.dim() == 1:
        return torch.arange(len(index), device="meta")
    return index


class SparseMatrix:
    """A sparse matrix in coordinate form, as far as peft's methods use one.

    Args:
        indices: of the entries, shape (2, entries), int64 once inside, as torch makes them.
        values: of the entries, shape (entries,); gradients reach them.
        size: rows and columns.
    """

    def __init__(self, indices: Tensor, values: Tensor, size: tuple[int, ...]) -> None:
        self._indices = indices.to(torch.int64)
        self._values = values
        self._size = size

    def coalesce(self) -> "SparseMatrix":
        """Itself with indices and values of its own, as sorting them makes."""
        return SparseMatrix(self._indices.clone(), self._values.clone(), self._size)

    def to_dense(self) -> Tensor:
        """The dense matrix; the gradient of the values is gathered from it."""
        return _add(torch.zeros(self._size, dtype=self._values.dtype, device="meta"), self._indices, self._values)

    def times(self, dense: Tensor) -> Tensor:
        """The product with a dense matrix."""
        product: Tensor = _Product.apply(self._indices, self._values, self._size, dense)
        return product

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Torch's parser takes what has this for a tensor; all that it is used for is done elsewhere."""
        return NotImplemented

    def _nnz(self) -> int:
        return len(self._values)

    def __radd__(self, dense: Tensor) -> Tensor:
        """`dense` with the entries added in place; `dense += sparse` comes here."""
        return _add(dense, self._indices, self._values)


def _add(dense: Tensor, indices: Tensor, values: Tensor) -> Tensor:
    added: Tensor = _AddEntries.apply(dense, indices, values)
    return added


class _AddEntries(torch.autograd.Function):
    """Adds values to entries of a dense matrix in place."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, indices: Tensor, values: Tensor) -> Tensor:
        # The values too: what made the sparse matrix keeps it for its own backward pass.
        ctx.save_for_backward(indices, values)
        ctx.mark_dirty(dense)
        flat = indices[0] * dense.shape[1] + indices[1]
        dense.view(-1).index_add_(0, flat, values.to(dense.dtype))
        return dense

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor]:
        indices, values = ctx.saved_tensors
        flat = indices[0] * gradient.shape[1] + indices[1]
        return gradient, None, gradient.reshape(-1).index_select(0, flat).to(values.dtype)


class _Product(torch.autograd.Function):
    """A sparse matrix times a dense one; as in torch, the gradient of the sparse one is made whole and picked from."""

    @staticmethod
    def forward(ctx: Any, indices: Tensor, values: Tensor, size: tuple[int, ...], dense: Tensor) -> Tensor:
        ctx.save_for_backward(indices, values, dense)
        ctx.size = size
        return dense.new_empty(size[0], dense.shape[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None, Tensor]:
        indices, values, dense = ctx.saved_tensors
        of_dense = dense.new_empty(dense.shape)
        whole = gradient @ dense.t()
        flat = indices[0] * ctx.size[1] + indices[1]
        return None, whole.reshape(-1).index_select(0, flat).to(values.dtype), None, of_dense
