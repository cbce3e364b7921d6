"""The axes of each picture, from its facts: the page and the PNG pictures show the same range."""

from collections.abc import Sequence

from autopeft.reporting.axis import Axis, axis
from autopeft.reporting.contenders import Contender
from autopeft.reporting.costs import Memory
from autopeft.reporting.scale import Scale, scale, without_outliers
from autopeft.reporting.tradeoff import Tradeoff
from autopeft.reporting.trials import Curves, MethodScores


def comparison_axis(contenders: Sequence[Contender]) -> Axis:
    """Over seeds, means and spreads; a far baseline (majority class) is left to the edge.

    Else it would press the contenders, between which the reader decides, into one corner.
    """
    extents = [value for contender in contenders for value in _extent(contender)]
    near = [value for c in contenders if c.kind != "baseline" for value in _extent(c)] or extents
    room = max(near) - min(near)
    kept = [value for value in extents if min(near) - room <= value <= max(near) + room] if room else extents
    return axis(kept, padding=0.08)


def method_axis(scores: Sequence[MethodScores]) -> Axis:
    """Over all losses but far outliers, which sit on the edge."""
    return axis(without_outliers([loss for method in scores for loss in method.losses]), padding=0.06)


def tradeoff_scales(tradeoff: Tradeoff) -> tuple[Scale, Scale]:
    """(cost, loss); losses that are far outliers sit on the edge."""
    losses = without_outliers([point.loss for point in tradeoff.points])
    costs = scale([point.cost for point in tradeoff.points], tradeoff.words, base=tradeoff.base)
    return costs, scale(losses)


def curve_axes(curves: Curves) -> tuple[Axis, Axis]:
    """(steps, losses)."""
    steps = [step for c in curves.curves for step in (*(s for s, _ in c.train), *(s for s, _, _ in c.validation))]
    return axis(steps, from_zero=True, padding=0.02, count=6), axis([curves.low, curves.high])


def memory_axis(memory: Memory) -> Axis:
    """For both directions, in `memory_unit`."""
    unit, _ = memory_unit(memory)
    both = [(point.predicted_bytes / unit, point.measured_bytes / unit) for point in memory.points]
    return axis([value for pair in both for value in pair], padding=0.08)


def memory_unit(memory: Memory) -> tuple[int, str]:
    """(bytes, name) of the unit that suits the greatest point."""
    greatest = max((point.measured_bytes for point in memory.points), default=0)
    return (2**30, "GiB") if greatest >= 2**30 else (2**20, "MiB")


def _extent(contender: Contender) -> list[float]:
    if contender.mean is None:
        return []
    spread = contender.spread or 0.0
    seeds = [run.metric for run in contender.seeds if run.metric is not None]
    return [contender.mean - spread, contender.mean + spread, *seeds]
