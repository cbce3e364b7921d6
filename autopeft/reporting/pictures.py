"""Facts -> PNG pictures for the Markdown report, drawn by matplotlib without a display."""

import warnings
from collections.abc import Callable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autopeft.reporting import pictures_tried, wording
from autopeft.reporting.axis import Axis
from autopeft.reporting.canvas import (
    COLOURS,
    INK,
    LONGEST,
    QUIET,
    RULE,
    STRONG,
    STYLE,
    across,
    canvas,
    marks,
    png,
    rows,
    up,
)
from autopeft.reporting.contenders import Contender
from autopeft.reporting.facts import Report
from autopeft.reporting.ranges import comparison_axis, curve_axes, memory_axis, memory_unit, method_axis


def draw_pictures(report: Report) -> dict[str, bytes]:
    """File name -> PNG of every picture for which there are facts."""
    drawn: dict[str, tuple[bool, Callable[[Report], Figure]]] = {
        "comparison.png": (any(c.mean is not None for c in report.contenders), _comparison),
        "curves.png": (bool(report.curves.curves), _curves),
        "parallel.png": (report.parallel is not None, pictures_tried.parallel),
        "importance.png": (report.importances is not None, pictures_tried.importances),
        "methods.png": (any(scores.losses for scores in report.methods), _methods),
        "tradeoff.png": (bool(report.tradeoffs), pictures_tried.tradeoff),
        "memory.png": (bool(report.memory.points), _memory),
        "time.png": (any(entry.seconds > 0 for entry in report.time.entries), _time),
        "timeline.png": (bool(report.timeline), pictures_tried.timeline),
    }
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the text of the report has it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        return {name: png(draw(report)) for name, (wanted, draw) in drawn.items() if wanted}


def _comparison(report: Report) -> Figure:
    shown = [contender for contender in report.contenders if contender.mean is not None]
    ruler = comparison_axis(shown)
    figure, plot = canvas(1.0 + 0.34 * len(shown))
    for place, contender in enumerate(shown):
        _compared(plot, place, contender, ruler)
    rows(plot, [_row_label(contender, ruler, report.metric.decimals) for contender in shown])
    across(plot, ruler, f"validation {report.metric.name}, {report.metric.direction}")
    return figure


def _compared(plot: Axes, place: int, contender: Contender, ruler: Axis) -> None:
    series = {"candidate": 0, "control": 1}.get(contender.kind, 3)
    mean, spread = contender.mean or 0.0, contender.spread
    seeds = [run.metric for run in contender.seeds if run.metric is not None]
    if spread is not None:
        plot.barh(place, 2 * spread, left=mean - spread, height=0.6, color=RULE, zorder=1)
    if seeds:
        plot.vlines(mean, place - 0.35, place + 0.35, color=INK, linewidth=1.5, zorder=2)
    at = [min(max(value, ruler.low), ruler.high) for value in seeds or [mean]]
    marks(plot, at, [place] * len(at), series)


def _row_label(contender: Contender, ruler: Axis, decimals: int) -> str:
    """With the value where it lies beyond the axis."""
    mean = contender.mean or 0.0
    value = "" if ruler.holds(mean) else f", {wording.score(mean, decimals)}"
    return f"{contender.label} ({contender.kind}{value})"


def _curves(report: Report) -> Figure:
    steps_axis, loss_axis = curve_axes(report.curves)
    figure, plot = canvas(3.8)
    for curve in reversed(report.curves.curves):
        steps, losses = [step for step, _ in curve.train], [loss for _, loss in curve.train]
        if not curve.highlighted or curve.rank is None:
            plot.plot(steps, losses, color=STRONG, linewidth=0.8, zorder=1)
            continue
        series = (curve.rank - 1) % len(COLOURS)
        plot.plot(steps, losses, color=COLOURS[series], linewidth=1.4, zorder=2)
        rungs = curve.validation
        errors = [error or 0.0 for _, _, error in rungs]
        at, values = [step for step, _, _ in rungs], [loss for _, loss, _ in rungs]
        plot.errorbar(at, values, yerr=errors, fmt="none", ecolor=COLOURS[series], elinewidth=1, zorder=3)
        marks(plot, at, values, series, wording.shortened(curve.label, LONGEST))
    across(plot, steps_axis, "optimizer step")
    up(plot, loss_axis, "loss")
    handles, labels = plot.get_legend_handles_labels()
    if handles:
        plot.legend(handles[::-1], labels[::-1], frameon=False, fontsize=8, loc="upper right")
    return figure


def _methods(report: Report) -> Figure:
    shown = [scores for scores in report.methods if scores.losses]
    ruler = method_axis(shown)
    figure, plot = canvas(1.0 + 0.34 * len(shown))
    for place, scores in enumerate(shown):
        losses = [min(loss, ruler.high) for loss in scores.losses]
        marks(plot, losses, [place] * len(losses), 0)
        plot.vlines(min(scores.middle or 0.0, ruler.high), place - 0.35, place + 0.35, color=INK, linewidth=1.5)
    rows(plot, [scores.title for scores in shown])
    across(plot, ruler, f"validation loss at step {report.rung}, lower is better")
    return figure


def _memory(report: Report) -> Figure:
    unit, name = memory_unit(report.memory)
    both = memory_axis(report.memory)
    figure, plot = canvas(3.8, width=4.6)
    plot.plot(
        [both.low, both.high],
        [both.low, both.high],
        color=QUIET,
        linewidth=1,
        linestyle=(0, (5, 4)),
        zorder=1,
    )
    points = report.memory.points
    marks(plot, [p.measured_bytes / unit for p in points], [p.predicted_bytes / unit for p in points], 0)
    across(plot, both, f"measured peak, {name}")
    up(plot, both, f"predicted peak, {name}")
    return figure


def _time(report: Report) -> Figure:
    entries = [entry for entry in report.time.entries if entry.seconds > 0]
    figure, plot = canvas(0.8 + 0.3 * len(entries))
    plot.barh(range(len(entries)), [entry.seconds for entry in entries], height=0.6, color=COLOURS[0])
    rows(plot, [entry.label for entry in entries])
    plot.grid(axis="x", color=RULE)
    plot.set_axisbelow(True)
    plot.set_xlabel("seconds")
    return figure
