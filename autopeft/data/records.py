"""What the readers of row-wise files give: one record a row."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Record(NamedTuple):
    """One row of a file.

    Attributes:
        number: of its line or row, from 1.
        cells: column -> value.
        size_bytes: about what it takes on disk.
    """

    number: int
    cells: dict[str, Any]
    size_bytes: int


def one_line(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def repeated_name(names: Iterable[str]) -> str | None:
    """The first name that comes a second time, if any does."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
