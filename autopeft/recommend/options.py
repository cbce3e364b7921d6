"""What the asker wants and has, beside the model and the task."""

from dataclasses import dataclass, field
from typing import Literal

from autopeft.domain.memory import StepShape

Priority = Literal["quality", "memory", "speed"]

# What a process takes on the device beside the allocator's memory: the CUDA context and the loaded kernels.
# A report for a PyTorch process with next to no tensors shows 781 MB in nvidia-smi (pytorch/pytorch, issue
# 34323); it differs between devices and versions, so this is an allowance and no measurement of the device.
DEVICE_CONTEXT_BYTES = 781 * 10**6


@dataclass(frozen=True, slots=True)
class Options:
    """What the rules and the ranking are told.

    Attributes:
        shape: of one training step; under a budget a method may run it in smaller micro-batches.
        budget_bytes: memory that training may use on the device, or None when it does not matter.
        context_bytes: taken from the budget before any tensor exists.
        training_rows: labelled examples, or None when unknown.
        epochs: passes over them; three is the length of the survey's own runs on SuperGLUE
            (Guitaricet/peft_comparison, run_grid_search.py).
        max_steps: optimizer steps of a full run, or None when unknown.
        trials: configurations that will be tried; 1 is the starting values only.
        no_inference_overhead: whether the result must run as fast as the base model.
        priority: what matters most, or None for a balance.
    """

    shape: StepShape = field(default_factory=StepShape)
    budget_bytes: int | None = None
    context_bytes: int = DEVICE_CONTEXT_BYTES
    training_rows: int | None = None
    epochs: float = 3
    max_steps: int | None = None
    trials: int = 1
    no_inference_overhead: bool = False
    priority: Priority | None = None
