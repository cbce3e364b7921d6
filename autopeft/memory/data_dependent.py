"""Operators whose output's size depends on values, which tensors on the meta device do not have.

A few classification heads use them: DeBERTa looks for the rows that have a label, BART and T5 for the end of each
sequence. The answers here are those of a batch in which every row is labelled and ends once. Mixtures of experts sort
tokens by expert; here each expert gets equally many.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autopeft.memory.experts import grouped_product


def nonzero(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Where a mask over a batch is true: on meta, once in each row."""
    return _places(args[0]) if args[0].is_meta and not kwargs else func(*args, **kwargs)


def unique_consecutive(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Distinct neighbours: on meta, one."""
    return args[0].flatten()[:1].clone() if args[0].is_meta else func(*args, **kwargs)


def grouped_mm(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The products of the experts, counted on meta."""
    return grouped_product(*args, **kwargs) if args[0].is_meta else func(*args, **kwargs)


NONZERO = (torch.nonzero, Tensor.nonzero)
# Added to torch at different times.
GROUPED = tuple(
    getattr(home, name) for home, name in ((functional, "grouped_mm"), (torch, "_grouped_mm")) if hasattr(home, name)
)


def _places(mask: Tensor) -> Tensor:
    """Where `mask` is true: one place in each row. Shape (rows, dimensions of the mask), int64."""
    return torch.empty(mask.shape[0], mask.dim(), dtype=torch.long, device=mask.device)


def with_places(index: Any) -> Any:
    """An index whose masks over rows and columns are replaced by the places where they are true."""
    if isinstance(index, tuple):
        return tuple(part for one in index for part in (_places(one).unbind(1) if _is_mask(one) else (one,)))
    return _places(index).unbind(1) if _is_mask(index) else index


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.is_meta and index.dtype == torch.bool and index.dim() > 1
