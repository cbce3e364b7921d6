"""Peak memory of a real step: of its tensors on a CPU, of CUDA's own counter on a GPU."""

from collections.abc import Callable, Iterable

import torch

from autopeft.memory.stream import find_peak
from autopeft.memory.tracker import StorageTracker


def measure_step(step: Callable[[], object], existing: Iterable[torch.Tensor] = ()) -> int:
    """Run `step` once and return the peak bytes of all tensors that it uses or makes.

    On a CPU these are the bytes that tensors ask for ("tensor bytes, CPU"): no allocator's rounding, no memory
    outside tensors. Tensors that exist before the step count from its start if the step touches them, or if
    they are named in `existing`.

    Args:
        step: one training step; its result is thrown away.
        existing: tensors to count even if the step leaves them alone.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    tracker = StorageTracker(discover=True)
    tracker.add(existing, "weights")
    tracker.enter("forward")
    with tracker:
        step()
    return find_peak(tracker.finish(), int).peak_bytes
