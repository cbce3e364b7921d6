"""Which operators a traced step runs, by device and autocast dtype."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.overrides import TorchFunctionMode

from autopeft.domain.memory import DType
from autopeft.memory.autocast import AutocastOperators
from autopeft.memory.cpu import CPU_OPERATORS
from autopeft.memory.data_dependent import GROUPED, NONZERO, grouped_mm, nonzero, unique_consecutive, with_places
from autopeft.memory.gpu import GPU_OPERATORS
from autopeft.memory.selection import all_picked, sparse_coo_tensor, sparse_product
from autopeft.memory.workspace import cublas_workspace_bytes


@dataclass(frozen=True, slots=True)
class Operators:
    """What meta tensors run in the place of their own operators.

    Attributes:
        device: cuda or cpu, whose operators they are.
        autocast: dtype of matrix products, or None for the weights' own.
        compute_capability: of the GPU, such as (8, 9), where it is known.
    """

    device: Literal["cuda", "cpu"] = "cuda"
    autocast: DType | None = None
    compute_capability: tuple[int, int] | None = None

    @property
    def workspace_bytes(self) -> int:
        """What the first matrix product of each thread allocates for the library that runs it."""
        return cublas_workspace_bytes(self.compute_capability) if self.device == "cuda" else 0

    @contextmanager
    def active(self) -> Iterator[Callable[[], None]]:
        """Put the operators in place.

        Yields:
            What to call at the end of each forward pass, as `torch.autocast` does when it is left.
        """
        with ExitStack() as stack:
            stack.enter_context(ReplacedOperators(GPU_OPERATORS if self.device == "cuda" else CPU_OPERATORS))
            if self.autocast is None:
                yield _nothing
            else:
                mode = AutocastOperators(getattr(torch, self.autocast), self.device)
                yield stack.enter_context(mode).forget_weights


class ReplacedOperators(TorchFunctionMode):
    """Runs what a device would run, and what meta tensors cannot, in the place of the functions that models call.

    One mode for all of it: every mode sends each call of a torch function on a detour through Python.

    Args:
        operators: of the device; function -> what it runs.
    """

    def __init__(self, operators: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__()
        self._operators = operators

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, or what stands in for it."""
        stand_in = _META.get(func)
        if stand_in is not None:
            return stand_in(func, args, kwargs or {})
        return self._operators.get(func, func)(*args, **(kwargs or {}))


def _get_item(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    tensor, index = args
    return func(tensor, all_picked(with_places(index)) if tensor.is_meta else index, **kwargs)


# What needs values that tensors on meta do not have; elsewhere each runs the function itself.
_META: Mapping[Any, Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]] = {
    torch.Tensor.__getitem__: _get_item,
    torch.sparse_coo_tensor: sparse_coo_tensor,
    torch.sparse.mm: sparse_product,
    torch.unique_consecutive: unique_consecutive,
    **dict.fromkeys(NONZERO, nonzero),
    **dict.fromkeys(GROUPED, grouped_mm),
}


def _nothing() -> None:
    """Without autocast a forward pass leaves nothing behind."""
