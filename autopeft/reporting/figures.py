"""Facts -> inline SVG for the HTML page.

Inline SVG and no charting library: plotly.js alone is 4.8 MB, takes its colours in code and not from the
page's light or dark style, and prints as it stands on the screen. These drawings are a few KB each, follow the
style sheet, keep their text size at any width, and show on hover which trial a mark belongs to.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from autopeft.reporting import svg, wording
from autopeft.reporting.axis import Axis
from autopeft.reporting.contenders import Contender
from autopeft.reporting.costs import Memory, TimeEntry
from autopeft.reporting.facts import Report
from autopeft.reporting.ranges import comparison_axis, curve_axes, memory_axis, memory_unit, method_axis
from autopeft.reporting.trials import Curve, MethodScores

_STRIP = 26.0
_HEIGHT = 300.0
_MOST_POINTS = 150


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of a picture: a label in the page's text, a drawing, and the figure in words."""

    label: str
    detail: str
    drawing: Markup
    value: str
    class_: str = ""


@dataclass(frozen=True, slots=True)
class Strips:
    """Rows over one axis, drawn below them; `beyond` counts the marks on its edge that lie past it."""

    rows: tuple[Strip, ...]
    scale: Markup
    beyond: int = 0


def comparison(report: Report) -> Strips | None:
    """Validation metric of every contender: a mark for each seed, a bar for mean and spread."""
    shown = [contender for contender in report.contenders if contender.mean is not None]
    if not shown:
        return None
    ruler = comparison_axis(shown)
    beyond = sum(not ruler.holds(contender.mean or 0.0) for contender in shown)
    return Strips(tuple(_compared(contender, ruler, report) for contender in shown), _scale(ruler), beyond)


def method_scores(report: Report) -> Strips | None:
    """Validation losses by method at the common rung: a mark for each trial, a line at the median."""
    shown = [scores for scores in report.methods if scores.losses]
    if not shown:
        return None
    ruler = method_axis(shown)
    beyond = sum(not ruler.holds(loss) for scores in shown for loss in scores.losses)
    rows = tuple(_scored(scores, ruler, report.metric.loss_decimals) for scores in shown)
    return Strips(rows, _scale(ruler), beyond)


def ledger(entries: Iterable[TimeEntry]) -> Strips | None:
    """Where time went: a bar for each entry above zero."""
    entries = [entry for entry in entries if entry.seconds > 0]
    if not entries:
        return None
    longest = max(entry.seconds for entry in entries)
    rows = []
    for entry in entries:
        said = f"{entry.label}: {wording.duration(entry.seconds)}"
        box = svg.bar(0, entry.seconds / longest, 6, _STRIP - 12, "bar", said)
        value = f"{wording.duration(entry.seconds)}, {wording.percent(entry.share, 1)}"
        rows.append(Strip(entry.label, "", svg.plot([box], _STRIP, said, "strip"), value))
    return Strips(tuple(rows), Markup(""))


def curves(report: Report) -> Markup | None:
    """Training loss as lines, validation loss at the rungs as marks with their standard error."""
    shown = report.curves.curves
    if not shown:
        return None
    across, up = curve_axes(report.curves)
    drawn = [curve for curve in reversed(shown) if curve.train]
    lines = [(_line(curve, across, up), _line_class(curve), curve.label, curve.number) for curve in drawn]
    decimals = report.metric.loss_decimals
    marks = [_rung_marks(curve, across, up, decimals) for curve in reversed(shown) if curve.highlighted]
    parts = [_grid(across, up), svg.paths(lines, _HEIGHT), *marks]
    return svg.plot(parts, _HEIGHT, "Learning curves: training loss and validation loss by step")


def legend(report: Report) -> tuple[tuple[int, str], ...]:
    """(series, label) of the curves in colour."""
    return tuple((_series(curve), curve.label) for curve in report.curves.curves if curve.highlighted)


def memory(facts: Memory) -> Markup | None:
    """Predicted over measured bytes; on the diagonal they agree."""
    if not facts.points:
        return None
    unit, _ = memory_unit(facts)
    both = memory_axis(facts)
    parts = [_grid(both, both), svg.line(0, _HEIGHT, 1, 0, "diagonal")]
    for point in facts.points:
        x, y = both.fraction(point.measured_bytes / unit), both.fraction(point.predicted_bytes / unit)
        tip = (
            f"{point.label} {point.title}: predicted {wording.size(point.predicted_bytes)}, "
            f"measured {wording.size(point.measured_bytes)} ({wording.signed_percent(point.error)})"
        )
        parts.append(svg.mark(x, _HEIGHT * (1 - y), 0, "s0 faint", tip, point.trial))
    return svg.plot(parts, _HEIGHT, "Peak memory: predicted over measured")


def _compared(contender: Contender, ruler: Axis, report: Report) -> Strip:
    decimals, middle = report.metric.decimals, _STRIP / 2
    mean, spread = contender.mean or 0.0, contender.spread
    at = ruler.fraction(mean)
    parts = [_ruled(ruler)]
    if spread is not None:
        low, high = ruler.fraction(mean - spread), ruler.fraction(mean + spread)
        parts.append(svg.line(low, middle, high, middle, "spread"))
    series = {"candidate": 0, "control": 1}.get(contender.kind, 3)
    if contender.seeds:
        parts.append(svg.line(at, 4, at, _STRIP - 4, "mean"))
    for run in contender.seeds:
        if run.metric is not None:
            tip = f"seed {run.seed}: {wording.score(run.metric, decimals)}"
            parts.append(svg.mark(ruler.fraction(run.metric), middle, series, f"s{series}", tip))
    if not contender.seeds:
        parts.append(svg.mark(at, middle, series, f"s{series}", contender.detail))
    value = wording.with_spread(mean, spread, decimals)
    drawing = svg.plot(parts, _STRIP, f"{contender.label}: {value}", "strip")
    of_trial = "" if contender.trial is None else f", trial {contender.trial}"
    return Strip(contender.label, contender.kind + of_trial, drawing, value, "winner" if contender.winner else "")


def _scored(scores: MethodScores, ruler: Axis, decimals: int) -> Strip:
    middle = _STRIP / 2
    parts = [_ruled(ruler)]
    for loss in scores.losses:
        parts.append(svg.mark(ruler.fraction(loss), middle, 0, "s0 faint", wording.score(loss, decimals)))
    if scores.middle is not None:
        at = ruler.fraction(scores.middle)
        parts.append(svg.line(at, 4, at, _STRIP - 4, "mean"))
    value = f"best {wording.score(scores.best, decimals)}"
    failed = f", {scores.failed} failed" if scores.failed else ""
    detail = f"{wording.plural(scores.trials, 'trial')}{failed}"
    return Strip(scores.title, detail, svg.plot(parts, _STRIP, f"{scores.title}: {value}", "strip"), value)


def _rung_marks(curve: Curve, across: Axis, up: Axis, decimals: int) -> Markup:
    series, parts = _series(curve), []
    for step, loss, error in curve.validation:
        x, y = across.fraction(step), _HEIGHT * (1 - up.fraction(loss))
        if error is not None:
            low, high = (_HEIGHT * (1 - up.fraction(loss + side * error)) for side in (-1, 1))
            parts.append(svg.line(x, low, x, high, f"error s{series}"))
        tip = f"{curve.label}, step {step:g}: validation loss {wording.with_spread(loss, error, decimals)}"
        parts.append(svg.mark(x, y, series, f"s{series}", tip, curve.number))
    return Markup("").join(parts)


def _line(curve: Curve, across: Axis, up: Axis) -> list[tuple[float, float]]:
    stride = max(1, -(-len(curve.train) // _MOST_POINTS))
    kept = [*curve.train[:-1:stride], curve.train[-1]]
    span = up.high - up.low
    return [(across.fraction(step), _HEIGHT * (up.high - loss) / span) for step, loss in kept]


def _line_class(curve: Curve) -> str:
    return f"curve s{_series(curve)}" if curve.highlighted else "curve muted"


def _series(curve: Curve) -> int:
    return (curve.rank or 1) - 1


def _grid(across: Axis, up: Axis) -> Markup:
    parts = []
    for tick in up.ticks:
        y = _HEIGHT * (1 - up.fraction(tick))
        parts += [
            svg.line(0, y, 1, y, "grid"),
            svg.element("text", up.label(tick), x=-8, y=y + 4, class_="tick end"),
        ]
    for tick in across.ticks:
        x = across.fraction(tick)
        parts.append(svg.label(x, _HEIGHT + 18, across.label(tick), "tick middle"))
    return Markup("").join(parts)


def _ruled(ruler: Axis) -> Markup:
    return Markup("").join(
        svg.line(ruler.fraction(tick), 0, ruler.fraction(tick), _STRIP, "grid") for tick in ruler.ticks
    )


def _scale(ruler: Axis) -> Markup:
    ticks = [svg.label(ruler.fraction(tick), 14, ruler.label(tick), "tick middle") for tick in ruler.ticks]
    return svg.plot(ticks, 20, "axis", "strip")
