"""Shape functions remembered: on the meta device most of a trace's time goes into working out the same shapes.

PyTorch infers the result of elementwise operators and reductions on meta tensors in Python, at half a millisecond
each, and the layers of a model ask the same questions over and over.
"""

from collections.abc import Mapping
from typing import Any

import torch

_aten = torch.ops.aten
# Operators that allocate new tensors, whose shapes, strides and dtypes follow from those of the arguments.
_REMEMBERED = frozenset(
    {
        _aten.add.Tensor,
        _aten.addmm.default,
        _aten.bmm.default,
        _aten.cat.default,
        _aten.clone.default,
        _aten.div.Scalar,
        _aten.div.Tensor,
        _aten.embedding_dense_backward.default,
        _aten.gelu.default,
        _aten.gelu_backward.default,
        _aten.mean.dim,
        _aten.mm.default,
        _aten.mul.Scalar,
        _aten.mul.Tensor,
        _aten.native_layer_norm.default,
        _aten.neg.default,
        _aten.nll_loss_backward.default,
        _aten.nll_loss_forward.default,
        _aten.pow.Tensor_Scalar,
        _aten.relu.default,
        _aten.rsqrt.default,
        _aten.silu.default,
        _aten.silu_backward.default,
        _aten.slice_backward.default,
        _aten.sub.Tensor,
        _aten.sum.dim_IntList,
        _aten.threshold_backward.default,
        _aten.zeros_like.default,
        _aten._log_softmax.default,
        _aten._log_softmax_backward_data.default,
        _aten._softmax.default,
        _aten._softmax_backward_data.default,
        _aten._to_copy.default,
    }
)
# Of them, those whose result's dtype comes from both operands.
_PROMOTING = frozenset({_aten.add.Tensor, _aten.div.Tensor, _aten.mul.Tensor, _aten.sub.Tensor})
# Updates in place of whole lists: on meta they come to nothing, after a second of checks for a model.
_IN_PLACE = frozenset(
    {
        _aten._foreach_addcdiv_.ScalarList,
        _aten._foreach_addcmul_.Scalar,
        _aten._foreach_lerp_.Scalar,
        _aten._foreach_mul_.Scalar,
    }
)
_MOST_ENTRIES = 20_000
_PLAIN = (torch.Tensor, torch.nn.Parameter)

Layout = tuple[torch.Size, tuple[int, ...], torch.dtype]
Layouts = Layout | list[Layout]


class RememberedShapes:
    """Answers operators on meta tensors from what the same operator gave for tensors of the same layout before.

    It is handed to the tracker, which is a dispatch mode: a second mode would cost each operator as much again.

    Args:
        known: what is known, shared between traces; it is added to.
    """

    def __init__(self, known: dict[Any, Layouts]) -> None:
        self._known = known

    def __call__(self, func: Any, args: tuple[Any, ...], given: Mapping[str, Any]) -> Any:
        """Run `func`, or make what it would have made."""
        if func in _IN_PLACE and all(tensor.is_meta for tensor in args[0]):
            return None
        key = _key(func, args, given) if func in _REMEMBERED else None
        if key is None:
            return func(*args, **given)
        layouts = self._known.get(key)
        if layouts is not None:
            return tuple(map(_made, layouts)) if isinstance(layouts, list) else _made(layouts)
        out = func(*args, **given)
        made = out if isinstance(out, tuple) else (out,)
        # What is made of the host's numbers alone stays on the host.
        if len(self._known) < _MOST_ENTRIES and all(one.is_meta for one in made):
            self._known[key] = list(map(_layout, out)) if isinstance(out, tuple) else _layout(out)
        return out


def _layout(tensor: torch.Tensor) -> Layout:
    return tensor.shape, tensor.stride(), tensor.dtype


def _made(layout: Layout) -> torch.Tensor:
    shape, strides, dtype = layout
    return torch.empty_strided(shape, strides, dtype=dtype, device="meta")


def _key(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What decides the results' layouts; None where something else might."""
    parts: list[Any] = [func]
    for value in (*args, *kwargs.items()):
        part = _part(value)
        if part is None:
            return None
        parts.append(part)
    return None if func in _PROMOTING and _promotes(args[:2]) else tuple(parts)


def _promotes(operands: tuple[Any, ...]) -> bool:
    """Whether a number may lift the dtype: how far depends on whether Python or a tensor brought it."""
    sized = [one for one in operands if isinstance(one, torch.Tensor) and one.dim()]
    return len(sized) < len(operands) and not (sized and all(one.dtype.is_floating_point for one in sized))


def _part(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        # A number of Python's comes as a tensor without dimensions on the host.
        if type(value) not in _PLAIN or not (value.is_meta or not value.dim()):
            return None
        return value.shape, value.stride(), value.dtype, value.is_meta
    if isinstance(value, list | tuple):
        parts = [_part(one) for one in value]
        return None if None in parts else (type(value), *parts)
    return (type(value), value)
