"""Which operators a traced step runs, by device and autocast dtype."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from autopeft.domain.memory import DType
from autopeft.memory.autocast import AutocastOperators
from autopeft.memory.cpu import CpuOperators
from autopeft.memory.data_dependent import DataDependentOperators
from autopeft.memory.gpu import GpuOperators
from autopeft.memory.selection import SelectionOperators
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
            stack.enter_context(SelectionOperators())
            stack.enter_context(DataDependentOperators())
            stack.enter_context(GpuOperators() if self.device == "cuda" else CpuOperators())
            if self.autocast is None:
                yield _nothing
            else:
                mode = AutocastOperators(getattr(torch, self.autocast), self.device)
                yield stack.enter_context(mode).forget_weights


def _nothing() -> None:
    """Without autocast a forward pass leaves nothing behind."""
