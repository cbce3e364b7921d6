"""The life of every storage of a traced run, and what it adds up to at its peak."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from autopeft.domain.memory import COMPONENTS
from autopeft.domain.work import Operation

ALLOC, FREE, PHASE = 0, 1, 2
Event = tuple[int, int]
PHASES = ("load", "forward", "backward", "optimizer", "evaluation", "generation", "initialisation")


class Recorded(NamedTuple):
    """An operation with its phase and operator, which tell apart what has the same size by chance.

    Attributes:
        phase: index into `PHASES`.
        operator: its name.
        operation: what it computes and moves.
    """

    phase: int
    operator: str
    operation: Operation


OperationCounts = Counter[Recorded]


@dataclass(slots=True)
class EventStream:
    """Allocations and frees in the order in which they happened.

    Attributes:
        sizes: bytes of each storage as asked for, by storage number.
        labels: component of each storage (an index into `COMPONENTS`).
        events: (ALLOC, storage), (FREE, storage) or (PHASE, index into `PHASES`).
        step_flops: floating point operations of the last traced step.
        operations: of the last traced step, by phase and operator.
    """

    sizes: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    step_flops: int = 0
    operations: OperationCounts = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest point of a stream.

    Attributes:
        peak_bytes: of all storages that live then.
        components_bytes: by component; they sum to `peak_bytes`.
        phase: in which it is reached.
        phase_peak_bytes: the highest point within each phase.
    """

    peak_bytes: int
    components_bytes: dict[str, int]
    phase: str
    phase_peak_bytes: dict[str, int]


def rounded_to_512(size_bytes: int) -> int:
    """The bytes that the CUDA caching allocator hands out for a request of `size_bytes`."""
    return (size_bytes + 511) // 512 * 512


def find_peak(stream: EventStream, rounded: Callable[[int], int] = rounded_to_512) -> Peak:
    """The highest point of `stream`, where each storage takes `rounded(bytes)`."""
    live = peak = 0
    phase = peak_phase = 0
    best_at = 0
    by_phase = dict.fromkeys(PHASES, 0)
    sizes = [rounded(size) for size in stream.sizes]
    for position, (kind, number) in enumerate(stream.events):
        if kind == PHASE:
            phase = number
        elif kind == FREE:
            live -= sizes[number]
        else:
            live += sizes[number]
            if live > peak:
                peak, best_at, peak_phase = live, position, phase
        by_phase[PHASES[phase]] = max(by_phase[PHASES[phase]], live)
    parts = dict.fromkeys(COMPONENTS, 0)
    for number in _live_at(stream, best_at):
        parts[COMPONENTS[stream.labels[number]]] += sizes[number]
    return Peak(peak, parts, PHASES[peak_phase], by_phase)


def _live_at(stream: EventStream, position: int) -> Iterator[int]:
    """The storages that live right after event `position`."""
    alive: dict[int, None] = {}
    for kind, number in stream.events[: position + 1]:
        if kind == ALLOC:
            alive[number] = None
        elif kind == FREE:
            alive.pop(number, None)
    return iter(alive)
