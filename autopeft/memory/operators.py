"""Which operators a traced step runs, by device and autocast dtype."""

from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch

from autopeft.domain.memory import DType
from autopeft.memory.cpu import CpuOperators
from autopeft.memory.gpu import GpuOperators


def operators_of(device: str, autocast: DType | None) -> AbstractContextManager[Any]:
    """The mode under which meta tensors run what `device` runs.

    Args:
        device: cuda or cpu.
        autocast: dtype of matrix products, or None for the weights' own.
    """
    stack = ExitStack()
    stack.enter_context(GpuOperators() if device == "cuda" else CpuOperators())
    return stack
