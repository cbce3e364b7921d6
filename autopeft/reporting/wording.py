"""Numbers as a reader wants them: the digits that their spread supports, `unknown` where nothing is known."""

import math
from collections.abc import Iterable
from statistics import median

from autopeft.domain.units import format_bytes, format_count, format_duration
from autopeft.reporting.reading import Pairs, finite, plain

UNKNOWN = "unknown"
_MINUS = "\N{MINUS SIGN}"


def decimals_for(spreads: Iterable[float | None]) -> int:
    """Decimals that show two digits of the typical spread: from 2 to 4, and 3 when no spread is known."""
    known = [spread for spread in spreads if spread]
    return min(max(1 - math.floor(math.log10(median(known))), 2), 4) if known else 3


def score(value: float | None, decimals: int) -> str:
    """A score with a fixed number of decimals."""
    return UNKNOWN if value is None else f"{value:.{decimals}f}".replace("-", _MINUS)


def with_spread(value: float | None, spread: float | None, decimals: int) -> str:
    """`0.562 ± 0.008`, or the bare value where no spread is known."""
    shown = score(value, decimals)
    return shown if value is None or spread is None else f"{shown} ± {spread:.{decimals}f}"


def signed(value: float | None, decimals: int) -> str:
    """A difference with its sign."""
    return UNKNOWN if value is None else f"{value:+.{decimals}f}".replace("-", _MINUS)


def size(size_bytes: float | None) -> str:
    """A size in binary units."""
    return UNKNOWN if size_bytes is None else format_bytes(size_bytes)


def named_size(size_bytes: float | None) -> str:
    """A size that a user may have named in decimal units: both are shown."""
    return UNKNOWN if size_bytes is None else f"{format_bytes(size_bytes)} ({size_bytes / 1e9:.3g} GB)"


def duration(seconds: float | None) -> str:
    """A duration for people."""
    return UNKNOWN if seconds is None else format_duration(seconds)


def step_time(seconds: float | None) -> str:
    """The time of one step, where tenths of a second are too coarse."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def parameters(count: float | None) -> str:
    """A parameter count for people."""
    return UNKNOWN if count is None else format_count(count)


def whole(count: float | None) -> str:
    """A whole number with thousands separated."""
    return UNKNOWN if count is None else f"{count:,.0f}"


def percent(share: float | None, decimals: int = 0) -> str:
    """A share as a percentage."""
    return UNKNOWN if share is None else f"{share * 100:.{decimals}f} %".replace("-", _MINUS)


def small_percent(share: float | None) -> str:
    """A share that may be tiny as a percentage of two digits: `4.8 %`, `0.062 %`."""
    return UNKNOWN if share is None else f"{share * 100:.2g} %"


def signed_percent(share: float | None) -> str:
    """A relative error with its sign and one decimal."""
    return UNKNOWN if share is None else f"{share * 100:+.1f} %".replace("-", _MINUS)


def knob(value: object) -> str:
    """A hyperparameter's value, three digits where it is a fraction."""
    if isinstance(value, float):
        return f"{value:.3g}" if finite(value) is not None else UNKNOWN
    return UNKNOWN if value is None else plain(value)


def knobs(pairs: Pairs) -> str:
    """All hyperparameters on one line: `r=8 learning_rate=0.0003`."""
    return " ".join(f"{name}={knob(value)}" for name, value in pairs)


def plural(count: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def counts(pairs: Iterable[tuple[str, int]]) -> str:
    """`4,900 train, 800 validation`."""
    return ", ".join(f"{whole(count)} {name}" for name, count in pairs) or UNKNOWN


def lengths(pairs: Iterable[tuple[str, int]]) -> str:
    """`median 16, 95 % 49, longest 88`."""
    return ", ".join(f"{name} {whole(tokens)}" for name, tokens in pairs) or UNKNOWN


def shortened(text: str, limit: int = 300) -> str:
    """The beginning of a long text, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
