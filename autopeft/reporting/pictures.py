"""Facts -> PNG pictures for the Markdown report, drawn by matplotlib without a display.

The same facts give the same bytes: no date, no version and no user's style goes into a picture.
"""

import io
import warnings
from collections.abc import Callable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from autopeft.reporting import wording
from autopeft.reporting.axis import Axis
from autopeft.reporting.contenders import Contender
from autopeft.reporting.facts import Report
from autopeft.reporting.ranges import comparison_axis, curve_axes, memory_axis, memory_unit, method_axis

_COLOURS = ("#0b5cad", "#b2480c", "#11705f", "#6a4aa8", "#7a5c00")
_SHAPES = ("o", "s", "^", "D", "X")
_LONGEST = 48
"""Letters of a label: a longer one would leave no room for the plot."""

_QUIET, _RULE, _STRONG, _INK = "#5a6575", "#e1e5ea", "#c3cad3", "#1b2330"
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,
    "axes.edgecolor": _STRONG,
    "axes.labelcolor": _QUIET,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_pictures(report: Report) -> dict[str, bytes]:
    """File name -> PNG of every picture for which there are facts."""
    drawn: dict[str, tuple[bool, Callable[[Report], Figure]]] = {
        "comparison.png": (any(c.mean is not None for c in report.contenders), _comparison),
        "curves.png": (bool(report.curves.curves), _curves),
        "methods.png": (any(scores.losses for scores in report.methods), _methods),
        "memory.png": (bool(report.memory.points), _memory),
        "time.png": (any(entry.seconds > 0 for entry in report.time.entries), _time),
    }
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the text of the report has it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        return {name: _png(draw(report)) for name, (wanted, draw) in drawn.items() if wanted}


def _comparison(report: Report) -> Figure:
    shown = [contender for contender in report.contenders if contender.mean is not None]
    ruler = comparison_axis(shown)
    figure, plot = _canvas(1.0 + 0.34 * len(shown))
    for place, contender in enumerate(shown):
        _compared(plot, place, contender, ruler)
    _rows(plot, [_row_label(contender, ruler, report.metric.decimals) for contender in shown])
    _across(plot, ruler, f"validation {report.metric.name}, {report.metric.direction}")
    return figure


def _compared(plot: Axes, place: int, contender: Contender, ruler: Axis) -> None:
    series = {"candidate": 0, "control": 1}.get(contender.kind, 3)
    mean, spread = contender.mean or 0.0, contender.spread
    seeds = [run.metric for run in contender.seeds if run.metric is not None]
    if spread is not None:
        plot.barh(place, 2 * spread, left=mean - spread, height=0.6, color=_RULE, zorder=1)
    if seeds:
        plot.vlines(mean, place - 0.35, place + 0.35, color=_INK, linewidth=1.5, zorder=2)
    at = [min(max(value, ruler.low), ruler.high) for value in seeds or [mean]]
    _marks(plot, at, [place] * len(at), series)


def _row_label(contender: Contender, ruler: Axis, decimals: int) -> str:
    """With the value where it lies beyond the axis."""
    mean = contender.mean or 0.0
    value = "" if ruler.holds(mean) else f", {wording.score(mean, decimals)}"
    return f"{contender.label} ({contender.kind}{value})"


def _curves(report: Report) -> Figure:
    across, up = curve_axes(report.curves)
    figure, plot = _canvas(3.8)
    for curve in reversed(report.curves.curves):
        steps, losses = [step for step, _ in curve.train], [loss for _, loss in curve.train]
        if not curve.highlighted or curve.rank is None:
            plot.plot(steps, losses, color=_STRONG, linewidth=0.8, zorder=1)
            continue
        series = (curve.rank - 1) % len(_COLOURS)
        plot.plot(steps, losses, color=_COLOURS[series], linewidth=1.4, zorder=2)
        rungs = curve.validation
        errors = [error or 0.0 for _, _, error in rungs]
        at, values = [step for step, _, _ in rungs], [loss for _, loss, _ in rungs]
        plot.errorbar(at, values, yerr=errors, fmt="none", ecolor=_COLOURS[series], elinewidth=1, zorder=3)
        _marks(plot, at, values, series, wording.shortened(curve.label, _LONGEST))
    _across(plot, across, "optimizer step")
    _up(plot, up, "loss")
    handles, labels = plot.get_legend_handles_labels()
    if handles:
        plot.legend(handles[::-1], labels[::-1], frameon=False, fontsize=8, loc="upper right")
    return figure


def _methods(report: Report) -> Figure:
    shown = [scores for scores in report.methods if scores.losses]
    ruler = method_axis(shown)
    figure, plot = _canvas(1.0 + 0.34 * len(shown))
    for place, scores in enumerate(shown):
        losses = [min(loss, ruler.high) for loss in scores.losses]
        _marks(plot, losses, [place] * len(losses), 0)
        plot.vlines(min(scores.middle or 0.0, ruler.high), place - 0.35, place + 0.35, color=_INK, linewidth=1.5)
    _rows(plot, [scores.title for scores in shown])
    _across(plot, ruler, f"validation loss at step {report.rung}, lower is better")
    return figure


def _memory(report: Report) -> Figure:
    unit, name = memory_unit(report.memory)
    both = memory_axis(report.memory)
    figure, plot = _canvas(3.8, width=4.6)
    plot.plot(
        [both.low, both.high],
        [both.low, both.high],
        color=_QUIET,
        linewidth=1,
        linestyle=(0, (5, 4)),
        zorder=1,
    )
    points = report.memory.points
    _marks(plot, [p.measured_bytes / unit for p in points], [p.predicted_bytes / unit for p in points], 0)
    _across(plot, both, f"measured peak, {name}")
    _up(plot, both, f"predicted peak, {name}")
    return figure


def _time(report: Report) -> Figure:
    entries = [entry for entry in report.time.entries if entry.seconds > 0]
    figure, plot = _canvas(0.8 + 0.3 * len(entries))
    plot.barh(range(len(entries)), [entry.seconds for entry in entries], height=0.6, color=_COLOURS[0])
    _rows(plot, [entry.label for entry in entries])
    plot.grid(axis="x", color=_RULE)
    plot.set_axisbelow(True)
    plot.set_xlabel("seconds")
    return figure


def _canvas(height: float, width: float = 7.2) -> tuple[Figure, Axes]:
    """A figure of width x height inches with one plot."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _marks(plot: Axes, x: list[float], y: list[float], series: int, label: str | None = None) -> None:
    plot.scatter(
        x,
        y,
        s=34,
        marker=_SHAPES[series],
        color=_COLOURS[series],
        edgecolors="white",
        linewidths=0.6,
        label=label,
        zorder=4,
        clip_on=False,
    )


def _rows(plot: Axes, labels: list[str]) -> None:
    plot.set_yticks(range(len(labels)), [wording.shortened(label, _LONGEST) for label in labels], color=_INK)
    plot.set_ylim(len(labels) - 0.5, -0.5)


def _across(plot: Axes, ruler: Axis, label: str) -> None:
    plot.set_xticks(ruler.ticks, [ruler.label(tick) for tick in ruler.ticks])
    plot.set_xlim(ruler.low, ruler.high)
    plot.set_xlabel(label)
    plot.grid(axis="x", color=_RULE)
    plot.set_axisbelow(True)


def _up(plot: Axes, ruler: Axis, label: str) -> None:
    plot.set_yticks(ruler.ticks, [ruler.label(tick) for tick in ruler.ticks])
    plot.set_ylim(ruler.low, ruler.high)
    plot.set_ylabel(label)
    plot.grid(axis="y", color=_RULE)


def _png(figure: Figure) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()
