"""Scales with their ticks in words: linear, logarithmic where values span orders, or one place for each name."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autopeft.reporting.axis import axis

_LOG_FROM = 20.0
"""Greatest over least value from which a linear scale would press the small ones together."""

Words = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale of numbers.

    Attributes:
        low: value at its start; a logarithm where `logarithmic`.
        high: value at its end, above `low`.
        logarithmic: whether equal steps are equal ratios.
        ticks: (value, text) of what is written along it, ascending.
    """

    low: float
    high: float
    logarithmic: bool
    ticks: tuple[tuple[float, str], ...]

    def fraction(self, value: float) -> float:
        """Where `value` lies, from 0 at the start to 1 at the end; what lies outside sits on the edge."""
        if self.logarithmic:
            value = math.log10(value) if value > 0 else self.low
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


def without_outliers(losses: Sequence[float]) -> list[float]:
    """Ascending, less those above thrice the width of the middle half."""
    ordered = sorted(losses)
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    return [loss for loss in ordered if loss <= high + 3 * (high - low)]


def scale(
    values: Sequence[float],
    words: Words | None = None,
    *,
    base: float = 1.0,
    padding: float = 0.06,
    count: int = 5,
) -> Scale:
    """A scale over finite `values`.

    Args:
        values: what must be visible.
        words: a tick's text; by itself the decimals that tell the ticks apart.
        base: unit in which ticks are round: 2**20 for bytes that are written as MiB.
        padding: room at both ends, as a share of the range.
        count: ticks, about.
    """
    if min(values) > 0 and max(values) / min(values) >= _LOG_FROM:
        return _logarithmic(values, words, padding, count)
    linear = axis([value / base for value in values], padding=padding, count=count)
    ticks = tuple((tick * base, words(tick * base) if words else linear.label(tick)) for tick in linear.ticks)
    return Scale(linear.low * base, linear.high * base, False, ticks)


def _logarithmic(values: Sequence[float], words: Words | None, padding: float, count: int) -> Scale:
    low, high = math.log10(min(values)), math.log10(max(values))
    room = (high - low) * padding
    powers = range(math.ceil(low - room), math.floor(high + room) + 1)
    stride = max(1, -(-len(powers) // count))
    ticks = tuple((10.0**power, (words or _short)(10.0**power)) for power in powers[::stride])
    return Scale(low - room, high + room, True, ticks)


def _short(value: float) -> str:
    return f"{value:g}"
