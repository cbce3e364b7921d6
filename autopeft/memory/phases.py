"""The highest point over all phases of a run, from the streams that hold them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from autopeft.memory.allocator import predicted_reserved_bytes
from autopeft.memory.stream import PHASES, EventStream, OperationCounts, Peak, find_peak, rounded_to_512

_UPDATE = PHASES.index("optimizer")


def highest(streams: Sequence[EventStream], device: str) -> tuple[Peak, int]:
    """The peak over all streams, with the highest point of each phase, and the bytes that are reserved for it.

    Args:
        streams: training, and after it evaluation and generation where they count; each starts from what is loaded.
        device: `cuda` rounds and reserves as its caching allocator does, and gives its cache back between streams;
            `cpu` counts bytes.
    """
    on_gpu = device == "cuda"
    peaks = [find_peak(stream, rounded_to_512 if on_gpu else int) for stream in streams]
    top = max(peaks, key=lambda peak: peak.peak_bytes)
    by_phase: dict[str, int] = {}
    for peak in peaks:
        for phase, size_bytes in peak.phase_peak_bytes.items():
            by_phase[phase] = max(by_phase.get(phase, 0), size_bytes)
    present = {phase: size_bytes for phase, size_bytes in by_phase.items() if size_bytes}
    reserved = max(map(predicted_reserved_bytes, streams)) if on_gpu else top.peak_bytes
    return replace(top, phase_peak_bytes=present), reserved


def scale_micro_batches(stream: EventStream, traced: int, wanted: int) -> EventStream:
    """The same life of storages with the work of `wanted` micro-batches where `traced` were run.

    From the second micro-batch on each does what the one before did: gradients are there and are added to. So two
    show the peak of any number of them.
    """
    operations: OperationCounts = Counter()
    for recorded, count in stream.operations.items():
        operations[recorded] = count if recorded.phase == _UPDATE else count * wanted // traced
    return EventStream(stream.sizes, stream.labels, stream.events, stream.step_flops * wanted // traced, operations)
