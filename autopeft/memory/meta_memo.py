"""Shape functions remembered: on the meta device most of a trace's time goes into working out the same shapes.

PyTorch infers the result of elementwise operators and reductions on meta tensors in Python, at half a millisecond
each, and the layers of a model ask the same questions over and over.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
# Operators that allocate one new tensor, whose shape, strides and dtype follow from those of the arguments.
_REMEMBERED = frozenset(
    {
        _aten.add.Tensor,
        _aten.div.Scalar,
        _aten.div.Tensor,
        _aten.mean.dim,
        _aten.mm.default,
        _aten.mul.Scalar,
        _aten.mul.Tensor,
        _aten.neg.default,
        _aten.pow.Tensor_Scalar,
        _aten.rsqrt.default,
        _aten.sub.Tensor,
        _aten._log_softmax.default,
        _aten._log_softmax_backward_data.default,
        _aten._to_copy.default,
    }
)
_MOST_ENTRIES = 20_000

Layout = tuple[torch.Size, tuple[int, ...], torch.dtype]


class RememberedShapes(TorchDispatchMode):
    """Answers operators on meta tensors from what the same operator gave for tensors of the same layout before.

    Args:
        known: what is known, shared between traces; it is added to.
    """

    def __init__(self, known: dict[Any, Layout]) -> None:
        super().__init__()
        self._known = known

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Torch's own switch: nothing is compiled here, and the guard costs as much as the work for each operator.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, or make what it would have made."""
        given = kwargs or {}
        key = _key(func, args, given) if func in _REMEMBERED else None
        if key is None:
            return func(*args, **given)
        layout = self._known.get(key)
        if layout is not None:
            shape, strides, dtype = layout
            return torch.empty_strided(shape, strides, dtype=dtype, device="meta")
        out = func(*args, **given)
        if len(self._known) < _MOST_ENTRIES:
            self._known[key] = (out.shape, out.stride(), out.dtype)
        return out


def _key(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What decides the result's layout; None where something else might."""
    parts: list[Any] = [func]
    for value in (*args, *kwargs.items()):
        part = _part(value)
        if part is None:
            return None
        parts.append(part)
    return tuple(parts)


def _part(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        # A tensor without dimensions may stand for a number, which weighs less in type promotion.
        if type(value) is not torch.Tensor or value.device.type != "meta" or not value.dim():
            return None
        return value.shape, value.stride(), value.dtype
    if isinstance(value, list):
        return (list, *value)
    return (type(value), value)
