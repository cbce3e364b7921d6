"""The largest batch that fits: micro-batch, accumulation and recomputation of one optimizer step under a budget.

Memory never falls when the batch grows, and but for the allocator's rounding it is affine in it. So one or two traces
predict the others; predictions only choose what to trace next, and what is answered has been traced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.errors import InputError

Price = Callable[[StepShape], MemoryEstimate]
# What grows with the batch.
_MOVING = ("activations", "logits", "temporaries")
# A size is passed over without a trace when it is predicted to need so much more than the budget: from one point the
# parts of the estimate are scaled, from two the line through them.
_CLEAR_FROM_ONE = 1.10
_CLEAR_FROM_TWO = 1.03


@dataclass(frozen=True, slots=True)
class FittedStep:
    """How a method runs the optimizer step that was asked for.

    Attributes:
        shape: the step: what was asked where that fits, else smaller micro-batches, accumulated to as many sequences;
            where nothing fits, the leanest that was tried.
        estimate: of `shape`.
        asked: the estimate of the step as it was asked for, by which methods compare.
        fits: whether `shape` stays within the budget; None without one.
    """

    shape: StepShape
    estimate: MemoryEstimate
    asked: MemoryEstimate
    fits: bool | None


def fit_step(
    price: Price, asked: StepShape, *, budget_bytes: int | None, context_bytes: int, may_recompute: bool
) -> FittedStep:
    """The largest micro-batch that fits and divides the step, without recomputing activations if possible.

    Args:
        price: estimates a step.
        asked: the step; `batch_size * accumulation` sequences whatever comes out.
        budget_bytes: of the device, or None for no limit: then the step stays as it was asked for.
        context_bytes: taken from the budget before any tensor exists.
        may_recompute: whether the method goes with gradient checkpointing.

    Raises:
        InputError: the step as it was asked for cannot be estimated.
    """
    estimate = price(asked)
    if budget_bytes is None:
        return FittedStep(asked, estimate, estimate, None)
    room_bytes = budget_bytes - context_bytes
    if estimate.reserved_bytes <= room_bytes:
        return FittedStep(asked, estimate, estimate, True)
    sequences = asked.batch_size * asked.accumulation
    sizes = [size for size in range(1, asked.batch_size + 1) if sequences % size == 0]
    search = _Search(price, asked, sizes, room_bytes, {asked: estimate})
    found = search.largest(recompute=asked.gradient_checkpointing, to_the_last=not may_recompute)
    if found is None and may_recompute and not asked.gradient_checkpointing:
        try:
            found = search.largest(recompute=True, to_the_last=True)
        except InputError:  # this model cannot recompute
            found = search.largest(recompute=False, to_the_last=True)
    if found is not None:
        return FittedStep(found, search.traced[found], estimate, True)
    traced = search.traced
    leanest = min(traced, key=lambda shape: traced[shape].reserved_bytes)
    return FittedStep(leanest, traced[leanest], estimate, False)


def largest_batch(
    price: Price, shape: StepShape, *, most: int, budget_bytes: int, context_bytes: int
) -> tuple[int, MemoryEstimate] | None:
    """The largest batch in one forward pass that fits and its estimate; None where not even one sequence does.

    Args:
        price: estimates a step.
        shape: of the step; its batch size is only where the search begins.
        most: sequences at most.
        budget_bytes: of the device.
        context_bytes: taken from the budget before any tensor exists.

    Raises:
        InputError: the step cannot be estimated.
    """
    traced = {shape: price(shape)}
    search = _Search(price, shape, range(1, most + 1), budget_bytes - context_bytes, traced, keep_sequences=False)
    found = search.largest(recompute=shape.gradient_checkpointing, to_the_last=False)
    return (found.batch_size, traced[found]) if found is not None else None


@dataclass(frozen=True, slots=True)
class _Search:
    """Looks for the largest of `sizes` that fits; `traced` holds all that was traced on the way."""

    price: Price
    asked: StepShape
    sizes: Sequence[int]
    room_bytes: int
    traced: dict[StepShape, MemoryEstimate]
    keep_sequences: bool = True

    def largest(self, *, recompute: bool, to_the_last: bool) -> StepShape | None:
        """The largest that fits, or None.

        Args:
            recompute: whether activations are recomputed.
            to_the_last: whether the smallest is traced even where it is clear that it does not fit.
        """
        shapes = {size: self._shape(size, recompute) for size in self.sizes}
        while True:
            points = {size: self.traced[shape] for size, shape in shapes.items() if shape in self.traced}
            guess = _next_guess(points, self.sizes, self.room_bytes, to_the_last)
            if guess is None:
                break
            self.traced[shapes[guess]] = self.price(shapes[guess])
        fitting = [size for size, estimate in points.items() if estimate.reserved_bytes <= self.room_bytes]
        return shapes[max(fitting)] if fitting else None

    def _shape(self, size: int, recompute: bool) -> StepShape:
        accumulation = self.asked.accumulation
        if self.keep_sequences:
            accumulation = self.asked.batch_size * accumulation // size
        return replace(self.asked, batch_size=size, accumulation=accumulation, gradient_checkpointing=recompute)


def _next_guess(
    points: dict[int, MemoryEstimate], sizes: Sequence[int], room_bytes: int, to_the_last: bool
) -> int | None:
    """The size to trace next; None when the answer is known."""
    fitting = max((size for size, one in points.items() if one.reserved_bytes <= room_bytes), default=0)
    too_large = min((size for size, one in points.items() if one.reserved_bytes > room_bytes), default=sizes[-1] + 1)
    candidates = [size for size in sizes if fitting < size < too_large]
    if not candidates:
        return None
    if not points:
        return candidates[-1]
    likely = [size for size in candidates if _predicted(points, size) <= room_bytes]
    if likely:
        return likely[-1]
    clear = _CLEAR_FROM_TWO if len(points) > 1 else _CLEAR_FROM_ONE
    if (fitting or not to_the_last) and _predicted(points, candidates[0]) > room_bytes * clear:
        return None
    return candidates[0]


def _predicted(points: dict[int, MemoryEstimate], size: int) -> float:
    """Reserved bytes at `size`, from the traced points."""
    nearest = sorted(points, key=lambda point: (abs(point - size), point))[:2]
    known = points[nearest[0]]
    if len(nearest) == 2:
        other = points[nearest[1]]
        slope = (known.reserved_bytes - other.reserved_bytes) / (nearest[0] - nearest[1])
        return known.reserved_bytes + slope * (size - nearest[0])
    if known.peak_phase == "optimizer":
        return known.reserved_bytes
    moving = sum(known.components_bytes.get(name, 0) for name in _MOVING)
    return known.reserved_bytes - moving * (1 - size / nearest[0])
