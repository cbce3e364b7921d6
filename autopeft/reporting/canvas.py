"""What every PNG picture shares: a canvas without a display, colours, marks and axes, by matplotlib.

The same facts give the same bytes: no date, no version and no user's style goes into a picture.
"""

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from autopeft.reporting import wording
from autopeft.reporting.axis import Axis

COLOURS = ("#0b5cad", "#b2480c", "#11705f", "#6a4aa8", "#7a5c00")
SHAPES = ("o", "s", "^", "D", "X")
LONGEST = 48
"""Letters of a label: a longer one would leave no room for the plot."""

QUIET, RULE, STRONG, INK = "#5a6575", "#e1e5ea", "#c3cad3", "#1b2330"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,
    "axes.edgecolor": STRONG,
    "axes.labelcolor": QUIET,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def canvas(height: float, width: float = 7.2) -> tuple[Figure, Axes]:
    """A figure of width x height inches with one plot."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def marks(plot: Axes, x: list[float], y: list[float], series: int, label: str | None = None) -> None:
    """Points in the colour and shape of `series`."""
    plot.scatter(
        x,
        y,
        s=34,
        marker=SHAPES[series],
        color=COLOURS[series],
        edgecolors="white",
        linewidths=0.6,
        label=label,
        zorder=4,
        clip_on=False,
    )


def rows(plot: Axes, labels: list[str]) -> None:
    """Names for the places 0, 1, 2 … on the upright axis, the first on top."""
    plot.set_yticks(range(len(labels)), [wording.shortened(label, LONGEST) for label in labels], color=INK)
    plot.set_ylim(len(labels) - 0.5, -0.5)


def across(plot: Axes, ruler: Axis, label: str) -> None:
    """The axis along the bottom."""
    plot.set_xticks(ruler.ticks, [ruler.label(tick) for tick in ruler.ticks])
    plot.set_xlim(ruler.low, ruler.high)
    plot.set_xlabel(label)
    plot.grid(axis="x", color=RULE)
    plot.set_axisbelow(True)


def up(plot: Axes, ruler: Axis, label: str) -> None:
    """The axis along the left side."""
    plot.set_yticks(ruler.ticks, [ruler.label(tick) for tick in ruler.ticks])
    plot.set_ylim(ruler.low, ruler.high)
    plot.set_ylabel(label)
    plot.grid(axis="y", color=RULE)


def png(figure: Figure) -> bytes:
    """The picture as a file."""
    written = io.BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()
