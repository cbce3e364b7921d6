"""Axes: a range of values with round ticks, shared by both renderers so that their pictures agree."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_MINUS = "\N{MINUS SIGN}"
_LEAST = 1e-100
"""Below it a range is none: powers of ten would leave the range of floats."""
_GREATEST = 1e100
"""What is beyond sits on the edge, for the same reason."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear axis.

    Attributes:
        low: value at its start.
        high: value at its end, above `low`.
        ticks: round values between the two, ascending.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def fraction(self, value: float) -> float:
        """Where `value` lies, from 0 at the start to 1 at the end; what lies outside sits on the edge."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def holds(self, value: float) -> bool:
        """Whether `value` lies between the ends."""
        return self.low <= value <= self.high

    def label(self, tick: float) -> str:
        """A tick's text, with the decimals that tell the ticks apart."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else abs(tick) or 1.0
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if decimals and not math.isclose(step * 10**decimals, round(step * 10**decimals), abs_tol=1e-6):
            decimals += 1  # steps of 2.5 need one more
        return f"{tick:,.{decimals}f}".replace("-", _MINUS)


def axis(values: Iterable[float], *, from_zero: bool = False, padding: float = 0.04, count: int = 5) -> Axis:
    """An axis over finite `values`.

    Args:
        values: what must be visible; none at all gives 0 to 1.
        from_zero: start at zero, for quantities whose length is compared.
        padding: room at both ends, as a share of the range.
        count: ticks, about.
    """
    known = [min(max(value, -_GREATEST), _GREATEST) for value in values] or [0.0, 1.0]
    low, high = min(known), max(known)
    greatest = max(abs(low), abs(high))
    if high - low <= max(1e-12 * greatest, _LEAST):
        width = greatest * 0.1 if greatest > _LEAST else 1.0
        low, high = low - width / 2, high + width / 2
    room = (high - low) * padding
    start, end = (min(0.0, low) if from_zero else low - room), high + room
    return Axis(start, end, _ticks(start, end, count))


def _ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(i * step for i in range(first, last + 1))
