"""Operation counts of a deep model from those of two shallow ones.

Layers repeat, so counts grow linearly with depth: deeper minus shallow is one more layer. An operator that spans
all layers (the cut of a prefix into layers, say) is called as often but grows instead; it shows as a size that only
one of the two depths has.
"""

from collections import Counter, defaultdict

from autopeft.domain.work import Operation
from autopeft.memory.stream import OperationCounts, Recorded


def extrapolate_operations(
    shallow: OperationCounts, deeper: OperationCounts, extra_layers: int
) -> OperationCounts | None:
    """The counts of a model that is `extra_layers` deeper than `deeper`, which is one layer deeper than `shallow`.

    Returns:
        The counts, or None where the two do not differ by equal layers and grown operators alone.
    """
    added, removed = deeper - shallow, shallow - deeper
    grown = _grown(added, removed, shallow)
    if grown is None:
        return None
    deep = Counter(deeper)
    for before, after in grown:
        deep[after] -= 1
        deep[_resized(before, after, extra_layers)] += 1
        added[after] -= 1
    for recorded, count in added.items():
        deep[recorded] += extra_layers * count
    return +deep


def _grown(
    added: OperationCounts, removed: OperationCounts, shallow: OperationCounts
) -> list[tuple[Recorded, Recorded]] | None:
    """Calls of the same operator that differ in size between the depths, paired in the order of their sizes."""
    new = Counter({recorded: count for recorded, count in added.items() if recorded not in shallow})
    before, after = _by_operator(removed), _by_operator(new)
    if any(len(after[key]) != len(calls) for key, calls in before.items()):
        return None
    return [pair for key, calls in before.items() for pair in zip(calls, after[key], strict=True)]


def _by_operator(counts: OperationCounts) -> dict[tuple[int, str], list[Recorded]]:
    calls: dict[tuple[int, str], list[Recorded]] = defaultdict(list)
    for recorded in sorted(counts.elements()):
        calls[recorded.phase, recorded.operator].append(recorded)
    return calls


def _resized(before: Recorded, after: Recorded, extra_layers: int) -> Recorded:
    small, large = before.operation, after.operation
    grown = Operation(
        large.kind,
        large.dtype,
        large.flops + extra_layers * (large.flops - small.flops),
        large.moved_bytes + extra_layers * (large.moved_bytes - small.moved_bytes),
    )
    return after._replace(operation=grown)
