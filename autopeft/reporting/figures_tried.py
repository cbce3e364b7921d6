"""Facts of what was tried -> inline SVG: parallel coordinates, importances, loss against cost, the workers' time."""

from dataclasses import dataclass

from markupsafe import Markup

from autopeft.reporting import svg, wording
from autopeft.reporting.axis import axis
from autopeft.reporting.facts import Report
from autopeft.reporting.figures import Strip, Strips
from autopeft.reporting.parallel import Column, Thread
from autopeft.reporting.ranges import tradeoff_scales
from autopeft.reporting.scale import Scale
from autopeft.reporting.timeline import Lane
from autopeft.reporting.tradeoff import Tradeoff
from autopeft.reporting.trials import HIGHLIGHTED

_HEIGHT = 300.0
_STRIP = 26.0
_LEFT, _RIGHT = 0.15, 0.07
"""Shares of the parallel coordinates' width that are kept free at the sides, for the texts of the outer columns."""

_STAGES = {"search": 0, "confirm": 2, "controls": 1}


@dataclass(frozen=True, slots=True)
class Pane:
    """One of several drawings between which the reader switches."""

    name: str
    drawing: Markup
    caption: str


def parallel(report: Report) -> Markup | None:
    """A thread for each trial over all columns; the best of the leaderboard in colour, on top."""
    facts = report.parallel
    if facts is None:
        return None
    last = len(facts.columns) - 1
    at = [_LEFT + (1 - _LEFT - _RIGHT) * place / last for place in range(last + 1)]
    threads = [
        (
            [(x, _HEIGHT * (1 - y)) for x, y in zip(at, thread.places, strict=True)],
            f"curve s{thread.rank - 1}" if _highlighted(thread) and thread.rank else "curve muted",
            thread.label,
            thread.number,
        )
        for thread in reversed(facts.threads)
    ]
    sides = {0: "end", last: "start"}
    columns = [_column(column, at[place], sides.get(place, "middle")) for place, column in enumerate(facts.columns)]
    name = "Parallel coordinates: method, hyperparameters, size and loss of each trial"
    return svg.plot([svg.paths(threads, _HEIGHT), *columns], _HEIGHT, name, "parallel")


def importances(report: Report) -> Strips | None:
    """A bar for each choice; those under one percent are left out."""
    facts = report.importances
    if facts is None:
        return None
    longest = facts.entries[0].share or 1.0
    rows = []
    for entry in facts.entries:
        if entry.share >= 0.01:
            value = wording.percent(entry.share)
            box = svg.bar(0, entry.share / longest, 6, _STRIP - 12, "bar", f"{entry.name}: {value}")
            rows.append(Strip(entry.name, "", svg.plot([box], _STRIP, f"{entry.name}: {value}", "strip"), value))
    return Strips(tuple(rows), Markup(""))


def tradeoffs(report: Report) -> tuple[Pane, ...]:
    """Loss over each kind of cost, the trials that no other beats at both joined by a line."""
    return tuple(_tradeoff(facts, report) for facts in report.tradeoffs)


def timeline(report: Report) -> Strips | None:
    """A lane for each worker, a box for each slice."""
    if not report.timeline:
        return None
    end = max(piece.started_seconds + piece.seconds for lane in report.timeline for piece in lane.pieces)
    unit = next(unit for unit in (3600.0, 60.0, 1.0) if end >= 4 * unit or unit == 1.0)
    ruler = axis([0.0, end / unit], from_zero=True, padding=0.01)
    ticks = [svg.label(ruler.fraction(t), 14, wording.duration(t * unit), "tick middle") for t in ruler.ticks]
    rows = tuple(_lane(lane, ruler.high * unit) for lane in report.timeline)
    return Strips(rows, svg.plot(ticks, 20, "time since the run began", "strip"))


def _lane(lane: Lane, end: float) -> Strip:
    boxes = [
        svg.bar(
            piece.started_seconds / end,
            max(piece.seconds / end - 0.001, 0.001),
            4,
            _STRIP - 8,
            f"piece s{_STAGES.get(piece.stage, 3)}",
            f"{piece.label}, {piece.stage}: {wording.duration(piece.seconds)}",
            piece.trial,
        )
        for piece in lane.pieces
    ]
    value = f"{wording.duration(lane.busy_seconds)} busy"
    count = wording.plural(len(lane.pieces), "slice")
    return Strip(lane.worker, count, svg.plot(boxes, _STRIP, f"{lane.worker}: {value}", "strip"), value)


def _tradeoff(facts: Tradeoff, report: Report) -> Pane:
    across, up = tradeoff_scales(facts)
    decimals = report.metric.loss_decimals
    front = [(across.fraction(p.cost), _HEIGHT * (1 - up.fraction(p.loss))) for p in facts.points if p.front]
    parts = [_grid(across, up), svg.paths([(front, "curve s1", "no trial is better at both", None)], _HEIGHT)]
    for point in facts.points:
        x, y = across.fraction(point.cost), _HEIGHT * (1 - up.fraction(point.loss))
        tip = f"{point.label}: {facts.words(point.cost)}, validation loss {wording.score(point.loss, decimals)}"
        parts.append(svg.mark(x, y, int(point.front), "s1" if point.front else "s0 faint", tip, point.number))
    best = ", ".join(f"#{point.number}" for point in facts.points if point.front)
    drawing = svg.plot(parts, _HEIGHT, f"Validation loss over {facts.name.lower()}")
    return Pane(facts.name, drawing, f"No trial is better at both than {best}.")


def _grid(across: Scale, up: Scale) -> Markup:
    parts = []
    for value, text in up.ticks:
        y = _HEIGHT * (1 - up.fraction(value))
        parts += [svg.line(0, y, 1, y, "grid"), svg.element("text", text, x=-8, y=y + 4, class_="tick end")]
    parts += [svg.label(across.fraction(v), _HEIGHT + 18, text, "tick middle") for v, text in across.ticks]
    return Markup("").join(parts)


def _column(column: Column, x: float, side: str) -> Markup:
    """The line, its name above, and its ticks: outside at both ends, else on a halo that keeps threads off them."""
    parts = [svg.line(x, 0, x, _HEIGHT, "column"), svg.label(x, -14, column.name, "name middle")]
    for place, text in column.ticks:
        y, shown = _HEIGHT * (1 - place) + 4, wording.shortened(text, 18)
        offset = {"end": -7, "start": 7}.get(side)
        parts.append(svg.element("text", shown, x=svg.percent(x), dx=offset, y=y, class_=f"tick {side} halo"))
    return Markup("").join(parts)


def _highlighted(thread: Thread) -> bool:
    return thread.rank is not None and thread.rank <= HIGHLIGHTED
