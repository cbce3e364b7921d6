"""Axes, digits and marks: what both renderers stand on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopeft.reporting import svg, wording
from autopeft.reporting.axis import axis
from autopeft.reporting.facts import read_report
from autopeft.reporting.ranges import comparison_axis

FINITE = st.floats(-1e12, 1e12, allow_nan=False).map(lambda value: float(f"{value:.6g}"))


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_every_value_lies_on_its_axis(values: list[float]) -> None:
    ruler = axis(values)
    assert ruler.low < ruler.high
    assert all(ruler.holds(value) and 0 <= ruler.fraction(value) <= 1 for value in values)
    assert 2 <= len(ruler.ticks) <= 12
    assert all(ruler.low <= tick <= ruler.high or tick == pytest.approx(0) for tick in ruler.ticks)
    labels = [ruler.label(tick) for tick in ruler.ticks]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 1.0], ["0.00", "0.25", "0.50", "0.75", "1.00"]),
        ([0.47, 0.58], ["0.475", "0.500", "0.525", "0.550", "0.575"]),
        ([0, 360], ["0", "100", "200", "300"]),
        ([], ["0.00", "0.25", "0.50", "0.75", "1.00"]),
    ],
)
def test_ticks_are_round(values: list[float], labels: list[str]) -> None:
    ruler = axis(values)
    assert [ruler.label(tick) for tick in ruler.ticks] == labels


def test_values_beyond_drawing_sit_on_the_edge() -> None:
    ruler = axis([-1e308, 1.0, 1e308])
    assert ruler.fraction(1e308) == 1
    assert ruler.ticks


def test_a_far_baseline_does_not_press_the_contenders_together(full) -> None:
    contenders = read_report(full).contenders
    ruler = comparison_axis(contenders)
    assert [c.label for c in contenders if not ruler.holds(c.mean)] == ["majority class"]


@pytest.mark.parametrize(
    ("spreads", "decimals"),
    [([0.0175], 3), ([0.0053], 4), ([0.21], 2), ([3.0], 2), ([None, 0.0], 3), ([1e-9], 4)],
)
def test_digits_follow_the_spread(spreads: list[float | None], decimals: int) -> None:
    assert wording.decimals_for(spreads) == decimals


def test_wording_of_unknowns_signs_and_shares() -> None:
    assert wording.with_spread(None, 0.1, 3) == "unknown"
    assert wording.with_spread(0.5, None, 3) == "0.500"
    assert wording.signed(-0.034, 3) == "\N{MINUS SIGN}0.034"
    assert wording.small_percent(0.00062) == "0.062 %"
    assert wording.named_size(8_000_000_000) == "7.45 GiB (8 GB)"
    assert wording.knobs((("r", 8), ("learning_rate", 0.00030001), ("bias", None))) == (
        "r=8 learning_rate=0.0003 bias=unknown"
    )


def test_svg_text_and_attributes_are_escaped() -> None:
    drawn = svg.mark(0.5, 10, 7, 'a"><script>', "<b>")
    assert drawn == (
        '<use href="#mark2" x="50%" y="10" class="mark a&#34;&gt;&lt;script&gt;"><title>&lt;b&gt;</title></use>'
    )
