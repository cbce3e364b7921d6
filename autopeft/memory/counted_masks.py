"""Masks on the meta device whose trues are counted: where they stand is unknown there, how many there are is not."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

_SAME_TRUES = frozenset({"eq", "__eq__", "view", "reshape", "to"})


class CountedMasks(TorchFunctionMode):
    """Answers `torch.where(mask)` on meta for a mask that true was scattered into, at as many places as were named.

    Permutations are made on meta too, so that what is scattered by a part of one names distinct places: that is how
    methods choose weights at random. Real ones of 4096 x 4096 weights take most of the time of such a trace.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trues = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, or what stands in for it."""
        given = kwargs or {}
        if func is torch.randperm:
            return torch.empty(args[0], dtype=given.get("dtype") or torch.int64, device="meta")
        if func is torch.where and len(args) == 1 and self._counts(args[0]):
            count, dimensions = self._trues[args[0]], args[0].dim()
            return tuple(torch.empty(count, dtype=torch.int64, device="meta") for _ in range(dimensions))
        out = func(*args, **given)
        if func is Tensor.scatter_ and len(args) == 4 and out.is_meta and out.dtype == torch.bool:
            self._trues[out] = args[2].numel()
        elif getattr(func, "__name__", "") in _SAME_TRUES and self._counts(args[0]):
            self._trues[out] = self._trues[args[0]]
        return out

    def _counts(self, mask: Any) -> bool:
        return isinstance(mask, Tensor) and mask in self._trues
