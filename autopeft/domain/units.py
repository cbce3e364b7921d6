"""Sizes and durations as people write them, and back."""

import math
import re

from autopeft.errors import UsageError

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_DECIMAL = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BINARY = {
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "t": 2**40,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
# An exabyte; sums of such sizes still count exactly.
_GREATEST_BYTES = 1e18
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
_SECONDS = (86_400, 3_600, 60, 1)


def parse_size_bytes(text: str) -> int:
    """Bytes of a size: `24GB` is 24 * 10^9; `24GiB`, `24g` are 24 * 2^30; a bare number is bytes.

    Raises:
        UsageError: the text is not a positive size.
    """
    match = _SIZE.fullmatch(text)
    scale = (_DECIMAL | _BINARY).get(match.group(2).lower()) if match else None
    if match is None or scale is None:
        raise UsageError(f"{text!r} is not a size", hint="write it like 24GB (10^9 bytes), 24GiB or 24g (2^30)")
    size = float(match.group(1)) * scale
    if size > _GREATEST_BYTES:
        raise UsageError("a size is larger than any memory", hint="name the memory that training may use, like 24GB")
    size_bytes = round(size)
    if size_bytes <= 0:
        raise UsageError(
            f"the size {text!r} is not above zero", hint="name the memory that training may use, like 24GB"
        )
    return size_bytes


def parse_duration_seconds(text: str) -> float:
    """Seconds of a duration like `90s`, `15m`, `2h30m`; a bare number is seconds.

    Raises:
        UsageError: the text is not a positive duration.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if not text.strip() or match is None:
        raise UsageError(f"{text!r} is not a duration", hint="write it like 90s, 15m or 2h30m")
    seconds = sum(float(part) * scale for part, scale in zip(match.groups(), _SECONDS, strict=True) if part)
    if not 0 < seconds < math.inf:
        raise UsageError(f"the duration {text!r} is not above zero", hint="give it some time, like 10m")
    return seconds


def format_bytes(size_bytes: int | float) -> str:
    """A size for people, in binary units with three digits: `20.8 GiB`."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or abs(size) >= 100 else f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB"


def format_duration(seconds: float) -> str:
    """A duration for people: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_step_time(seconds: float) -> str:
    """The time of one step, where tenths of a second are too coarse: `118 ms`, `1.2 s`."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def format_count(count: int | float) -> str:
    """A parameter count for people: `286.7 K`, `9.18 M`, `3.21 B`."""
    size = float(count)
    for unit in ("", " K", " M", " B"):
        if abs(size) < 1000:
            return f"{size:.0f}" if unit == "" else f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.3g} T"
