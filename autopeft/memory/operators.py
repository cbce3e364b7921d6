"""Which operators a traced step runs, by device and autocast dtype."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from autopeft.domain.memory import DType
from autopeft.memory.autocast import AutocastOperators
from autopeft.memory.cpu import CpuOperators
from autopeft.memory.gpu import GpuOperators


@contextmanager
def operators_of(device: str, autocast: DType | None) -> Iterator[None]:
    """The mode under which meta tensors run what `device` runs.

    Args:
        device: cuda or cpu.
        autocast: dtype of matrix products, or None for the weights' own.
    """
    with ExitStack() as stack:
        stack.enter_context(GpuOperators() if device == "cuda" else CpuOperators())
        if autocast is not None:
            stack.enter_context(AutocastOperators(getattr(torch, autocast), device))
        yield
