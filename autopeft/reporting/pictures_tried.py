"""Facts of what was tried -> PNG: parallel coordinates, importances, loss against cost, the workers' time."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autopeft.reporting import wording
from autopeft.reporting.canvas import COLOURS, INK, QUIET, RULE, STRONG, canvas, marks, rows
from autopeft.reporting.facts import Report
from autopeft.reporting.ranges import tradeoff_scales
from autopeft.reporting.scale import Scale
from autopeft.reporting.trials import HIGHLIGHTED

_STAGES = {"search": 0, "confirm": 2, "controls": 1}
_WORDS = {"search": "search", "confirm": "confirming", "controls": "controls"}
_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}


def parallel(report: Report) -> Figure:
    """A thread for each trial; the best of the leaderboard in colour."""
    figure, plot = canvas(3.6)
    facts = report.parallel
    if facts is None:
        return figure
    places = range(len(facts.columns))
    for thread in reversed(facts.threads):
        highlighted = thread.rank is not None and thread.rank <= HIGHLIGHTED
        colour = COLOURS[((thread.rank or 1) - 1) % len(COLOURS)] if highlighted else STRONG
        plot.plot(places, thread.places, color=colour, linewidth=1.5 if highlighted else 0.7, zorder=2 + highlighted)
    for place, column in enumerate(facts.columns):
        plot.axvline(place, color=STRONG, linewidth=1, zorder=1)
        for at, text in column.ticks:
            side = {0: "right", places[-1]: "left"}.get(place, "center")
            shown = f" {wording.shortened(text, 16)} "
            plot.text(place, at, shown, color=INK, fontsize=7, ha=side, va="center", zorder=5, bbox=_GROUND)
    plot.set_xticks(places, [wording.shortened(column.name, 20) for column in facts.columns], color=INK)
    plot.set_yticks([])
    plot.set_xlim(-0.8, places[-1] + 0.4)
    plot.spines["left"].set_visible(False)
    return figure


def importances(report: Report) -> Figure:
    """A bar for each choice of at least one percent."""
    entries = [entry for entry in report.importances.entries if entry.share >= 0.01] if report.importances else []
    figure, plot = canvas(0.8 + 0.3 * len(entries))
    plot.barh(range(len(entries)), [100 * entry.share for entry in entries], height=0.6, color=COLOURS[0])
    rows(plot, [entry.name for entry in entries])
    plot.set_xlabel("share of all importances, %")
    plot.grid(axis="x", color=RULE)
    plot.set_axisbelow(True)
    return figure


def tradeoff(report: Report) -> Figure:
    """Loss over the first kind of cost, which is peak memory where that is known."""
    facts = report.tradeoffs[0]
    across, up = tradeoff_scales(facts)
    figure, plot = canvas(3.4)
    beaten = [point for point in facts.points if not point.front]
    front = [point for point in facts.points if point.front]
    for points, series in ((beaten, 0), (front, 1)):
        x, y = [across.fraction(p.cost) for p in points], [up.fraction(p.loss) for p in points]
        marks(plot, x, y, series)
        if points is front:
            plot.plot(x, y, color=COLOURS[series], linewidth=1.2, zorder=2)
    for point in front:
        at = (across.fraction(point.cost), up.fraction(point.loss))
        plot.annotate(f"#{point.number}", at, (6, 4), textcoords="offset points", fontsize=7, color=QUIET)
    _ruled(plot, across, up)
    plot.set_xlabel(facts.name.lower())
    plot.set_ylabel(f"validation loss at step {wording.whole(report.rung)}")
    return figure


def timeline(report: Report) -> Figure:
    """A lane for each worker, a box for each slice."""
    figure, plot = canvas(0.9 + 0.34 * len(report.timeline))
    for place, lane in enumerate(report.timeline):
        boxes = [(piece.started_seconds, piece.seconds) for piece in lane.pieces]
        colours = [COLOURS[_STAGES.get(piece.stage, 3)] for piece in lane.pieces]
        plot.broken_barh(boxes, (place - 0.3, 0.6), facecolors=colours, edgecolors="white", linewidth=0.5)
    for stage in dict.fromkeys(piece.stage for lane in report.timeline for piece in lane.pieces):
        plot.bar(0, 0, color=COLOURS[_STAGES.get(stage, 3)], label=_WORDS.get(stage, stage))
    rows(plot, [lane.worker for lane in report.timeline])
    plot.set_xlim(left=0)
    plot.set_xlabel("seconds since the run began")
    plot.legend(frameon=False, fontsize=7, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def _ruled(plot: Axes, across: Scale, up: Scale) -> None:
    """Both axes, drawn in shares of their scales."""
    plot.set_xticks([across.fraction(value) for value, _ in across.ticks], [text for _, text in across.ticks])
    plot.set_yticks([up.fraction(value) for value, _ in up.ticks], [text for _, text in up.ticks])
    plot.set_xlim(0, 1)
    plot.set_ylim(0, 1)
    plot.grid(color=RULE)
    plot.set_axisbelow(True)
