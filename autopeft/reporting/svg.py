"""A few SVG marks in a plot that is as wide as its place: x in percent, y in pixels, so text keeps its size.

Colours and line widths come from the page's style sheet (classes), which knows light and dark; every text is
escaped. Shape repeats what colour says.
"""

from collections.abc import Iterable

from markupsafe import Markup

SHAPES = 5
"""Distinct marks: circle, square, triangle, diamond, cross; defined once in the page."""


def element(name: str, content: str | Markup = "", /, **attributes: str | float | None) -> Markup:
    """An element; attributes that are None are left out, `class_` is class, `_` in names is `-`."""
    shown = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None]
    texts = [Markup(' {}="{}"').format(key, _number(value)) for key, value in shown]
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(texts), content)


def percent(fraction: float) -> str:
    """A share of the plot's width."""
    return f"{_number(fraction * 100)}%"


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A line; x as shares of the width, y in pixels."""
    return element("line", x1=percent(x1), y1=y1, x2=percent(x2), y2=y2, class_=class_)


def mark(x: float, y: float, series: int, class_: str, title: str = "", trial: int | None = None) -> Markup:
    """A point in the shape of `series`, with a tooltip; the page's filter and highlight find it by `trial`."""
    shape = series % SHAPES
    tip = element("title", title) if title else ""
    return element("use", tip, href=f"#mark{shape}", x=percent(x), y=y, class_=f"mark {class_}", data_t=trial)


def bar(x: float, width: float, y: float, height: float, class_: str, title: str, trial: int | None = None) -> Markup:
    """A box with a tooltip; x and width as shares of the plot, y and height in pixels."""
    return element(
        "rect",
        element("title", title),
        x=percent(x),
        y=y,
        width=percent(width),
        height=height,
        class_=class_,
        data_t=trial,
    )


def label(x: float, y: float, text: str, class_: str) -> Markup:
    """A text at a point."""
    return element("text", text, x=percent(x), y=y, class_=class_)


def paths(lines: Iterable[tuple[list[tuple[float, float]], str, str, int | None]], height: float) -> Markup:
    """Polylines of (points, class, tooltip, trial) that stretch with the plot; x in shares, y in pixels.

    They lie in a drawing of their own, since a polyline takes no percentages; its strokes do not scale.
    """
    drawn = [
        element(
            "polyline",
            element("title", title),
            points=" ".join(f"{_number(x * 1000)},{_number(y)}" for x, y in points),
            class_=class_,
            vector_effect="non-scaling-stroke",
            data_t=trial,
        )
        for points, class_, title, trial in lines
    ]
    box = f"0 0 1000 {_number(height)}"
    return element("svg", Markup("").join(drawn), viewBox=box, preserveAspectRatio="none", width="100%", height=height)


def plot(content: Iterable[Markup], height: float, name: str, class_: str = "plot") -> Markup:
    """A drawing as wide as its place; `name` tells a screen reader what it shows."""
    inner = Markup("").join(content)
    return element("svg", inner, width="100%", height=height, class_=class_, role="img", aria_label=name)


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
