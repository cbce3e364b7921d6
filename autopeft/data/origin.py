"""Where the rows of a table come from, so that a message can name file and line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class OriginPart:
    """One file, or one table in memory.

    Attributes:
        name: of the file or the split, for people.
        rows: how many of the table's rows it gave.
        unit: what `numbers` count.
        numbers: one a row, from 1; None where they are 1, 2, 3, ...
    """

    name: str
    rows: int
    unit: Literal["row", "line"] = "row"
    numbers: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The parts of a table, in the order of its rows."""

    parts: tuple[OriginPart, ...]

    def place(self, row: int) -> str:
        """The place of a row of the table (from 1), such as `reviews.csv line 17`."""
        before = 0
        for part in self.parts:
            if row <= before + part.rows:
                own = row - before
                return f"{part.name} {part.unit} {own if part.numbers is None else part.numbers[own - 1]}"
            before += part.rows
        return f"row {row}"


def origin_of(name: str, rows: int) -> Origin:
    """Of a table that is one piece, its rows counted from 1."""
    return Origin((OriginPart(name, rows),))
