"""The usable rows of a split: cells by role, labels, and where each row comes from."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autopeft.data.chat import Conversation
from autopeft.data.column import Column, Indices
from autopeft.data.origin import Origin
from autopeft.domain.tasks import TARGET_ROLE


@dataclass(frozen=True, slots=True)
class Rows:
    """The usable rows of one split.

    Columns are sequences that may lie on disk: ask for slices, in steps of `chunk_rows`, not for everything.

    Attributes:
        texts: role (`text`, `text_pair`, `source`, `target`, ...) -> one text a row.
        labels: one class a row, as text; None where the task has none.
        numbers: of the rows in the source, counted from 1.
        values: role -> one value a row, for the kinds that are neither text nor class; see `cells`.
        origin: places of the source's rows; None where only the numbers are known.
        inputs: the roles among `values` that are asked with, not answered with.
        groups: of each row, where rows of a group must stay in one split; "" is a row of no group.
    """

    texts: Mapping[str, Sequence[str]]
    labels: Sequence[str] | None
    numbers: Sequence[int]
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    origin: Origin | None = None
    inputs: tuple[str, ...] = ()
    groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def chunk_rows(self) -> int:
        """Rows that together take a few MiB."""
        columns = (*self.texts.values(), *self.values.values())
        return min((column.chunk_rows for column in columns if isinstance(column, Column)), default=1000)

    def place(self, index: int) -> str:
        """Where the row at `index` (from 0) comes from, such as `reviews.csv line 17`."""
        number = self.numbers[index]
        return f"row {number}" if self.origin is None else self.origin.place(number)

    def select(self, indices: Iterable[int]) -> "Rows":
        """The rows at `indices` (from 0), in that order."""
        chosen = np.fromiter(indices, dtype=np.int64)
        made = {one.name: getattr(self, one.name) for one in fields(self)}
        for name in ("texts", "values"):
            made[name] = {role: _selected(column, chosen) for role, column in made[name].items()}
        for name in ("labels", "numbers", "groups"):
            made[name] = None if made[name] is None else _selected(made[name], chosen)
        return Rows(**made)

    def identities(self) -> npt.NDArray[np.int64]:
        """What makes a row the same as another: a digest of what it asks, without outer spaces; (rows,)."""
        return np.fromiter((_digest(cells) for cells in zip(*self._asking(), strict=True)), np.int64, len(self))

    def asked(self) -> Iterator[str]:
        """What each row asks, as one text; the parts are joined by line breaks."""
        return ("\n".join(_as_text(part) for part in cells) for cells in zip(*self._asking(), strict=True))

    def _asking(self) -> list[Sequence[Any]]:
        columns: list[Sequence[Any]] = [column for role, column in self.texts.items() if role != TARGET_ROLE]
        return columns + [self.values[role] for role in self.inputs]


def _selected(column: Sequence[Any], indices: Indices) -> Sequence[Any]:
    if isinstance(column, Column):
        return column.select(indices)
    return tuple(column[index] for index in indices.tolist())


def _digest(cells: Iterable[Any]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for cell in cells:
        raw = _as_text(cell).strip().encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return int.from_bytes(digest.digest(), "big", signed=True)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Conversation):
        # The last answer is what is learned; all before it is what is asked.
        return "\n".join(f"{message.role}: {message.content}" for message in value.messages[:-1])
    if isinstance(value, tuple):
        return " ".join(_as_text(part) for part in value)
    return str(getattr(value, "text", value)) if is_dataclass(value) else str(value)
