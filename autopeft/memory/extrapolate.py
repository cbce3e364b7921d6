"""From traces of two shallow models to the event stream of the deep one.

A model of n equal layers gives a stream in which a few blocks of events repeat: once per layer in the forward pass,
the backward pass and the optimizer's update. Two streams that differ by one layer show each block as an insertion;
repeating the insertions gives the stream at any depth. Where layers alternate in kind, one period of them takes the
place of one layer. A peak is never extrapolated: it is found in the new stream.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from autopeft.memory.align import Inserted, Key, aligned, tokens_of
from autopeft.memory.depth import Stack
from autopeft.memory.extrapolate_work import extrapolate_operations
from autopeft.memory.stream import ALLOC, FREE, PHASE, Event, EventStream

# Most models repeat from two layers on; those with more going on between layers from three or four.
_MOST_TRACES = 4
T = TypeVar("T")


def extrapolate(shallow: EventStream, deeper: EventStream, extra_periods: int) -> EventStream | None:
    """The stream of a model that is deeper than `deeper` by `extra_periods` times what `deeper` has over `shallow`.

    Returns:
        The stream, or None where the two do not differ by repeated blocks alone.
    """
    parts = aligned(tokens_of(shallow), tokens_of(deeper))
    operations = extrapolate_operations(shallow.operations, deeper.operations, extra_periods)
    if parts is None or operations is None:
        return None
    writer = _Writer(extra_periods)
    try:
        for part in parts:
            if isinstance(part, Inserted):
                writer.repeat([(key, size, size) for key, size in part.block])
            else:
                writer.write([(key, small, large) for (key, small), (_, large) in zip(*part, strict=True)])
    except IndexError:  # it frees what was never allocated, so what looked like a repetition is none
        return None
    flops = deeper.step_flops + extra_periods * (deeper.step_flops - shallow.step_flops)
    writer.stream.step_flops = flops
    writer.stream.operations = operations
    return writer.stream


def repeat_layers(
    trace: Callable[[int], T], stack: Stack, grow: Callable[[T, T, int], T | None]
) -> tuple[T, int] | None:
    """What `trace` would give for a whole stack, from the fewest traced layers that show the repetition.

    Args:
        trace: gives the stream, or what `grow` takes, of the model with so many layers.
        stack: its layers.
        grow: makes the deep one from two shallow ones, as `extrapolate` does.

    Returns:
        The deep one and the greatest depth that was traced, or None where nothing repeats.
    """
    depth = stack.fewest
    shallow = trace(depth)
    for _ in range(_MOST_TRACES - 1):
        depth += stack.period
        if depth >= stack.layers:
            return None
        deeper = trace(depth)
        deep = grow(shallow, deeper, (stack.layers - depth) // stack.period)
        if deep is not None:
            return deep, depth
        shallow = deeper
    return None


class _Writer:
    """Numbers storages anew and resolves which one a free means."""

    def __init__(self, extra_periods: int) -> None:
        self.stream = EventStream()
        self._extra_periods = extra_periods
        self._live: dict[tuple[int, int, int], list[int]] = defaultdict(list)

    def repeat(self, block: list[tuple[Key, int, int]]) -> None:
        """Write a block once more than there are periods to add."""
        self.write(block, self._extra_periods + 1)

    def write(self, block: list[tuple[Key, int, int]], times: int = 1) -> None:
        """Write events, each with its bytes at either traced depth, so many times in a row.

        Raises:
            IndexError: one frees what does not live.
        """
        # Looked up once for all repetitions: they are most of what a deep stream consists of.
        steps = [
            (kind, label, rank, small, large, self._live[label, small, large])
            for (kind, label, rank), small, large in block
        ]
        events: list[Event] = self.stream.events
        sizes, labels, extra = self.stream.sizes, self.stream.labels, self._extra_periods
        for _ in range(times):
            for kind, label, rank, small, large, live in steps:
                if kind == PHASE:
                    events.append((PHASE, label))
                elif kind == FREE:
                    events.append((FREE, live.pop(rank)))
                else:
                    number = len(sizes)
                    live.append(number)
                    sizes.append(large + extra * (large - small))
                    labels.append(label)
                    events.append((ALLOC, number))
