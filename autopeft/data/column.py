"""One role of a split as a sequence that is read from its table when it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import datasets
import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]

_CHUNK_ROWS = 1000
_CHUNK_BYTES = 2**22
# A block of rows is read whole, with rows between that are not wanted, as long as it is no larger.
_BLOCK_BYTES = 2**24


class Column(Sequence[Any]):
    """Cells of chosen rows of a table, each made by a function from one or more of the row's columns.

    Compares equal to any sequence of equal values.
    """

    def __init__(
        self, table: datasets.Dataset, names: Sequence[str], read: Callable[..., Any], rows: Indices | None = None
    ) -> None:
        """Keep where the cells are; nothing is read yet.

        Args:
            table: the whole table.
            names: of the columns that `read` is given.
            read: makes a cell; it must accept every chosen row.
            rows: of the table, from 0; None for all.
        """
        self._table = table.select_columns(list(dict.fromkeys(names))).with_format("arrow")
        self._names = tuple(names)
        self._read = read
        self._rows: Indices = np.arange(len(table)) if rows is None else rows
        size = sum(table.data.column(name).nbytes for name in set(names))
        self._row_bytes = max(1, size // max(1, table.data.num_rows))

    @property
    def chunk_rows(self) -> int:
        """Rows that take a few MiB together: what to read at a time."""
        return int(np.clip(_CHUNK_BYTES // self._row_bytes, 1, _CHUNK_ROWS))

    def select(self, indices: Indices) -> "Column":
        """The cells at `indices` (from 0), in that order."""
        made = object.__new__(Column)
        made.__dict__ |= self.__dict__ | {"_rows": self._rows[indices]}
        return made

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._cells(self._rows[index])
        return self._cells(self._rows[[index]])[0]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), self.chunk_rows):
            yield from self[start : start + self.chunk_rows]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(own == its for own, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as for every container that compares by its content

    def _cells(self, rows: Indices) -> list[Any]:
        if not len(rows):
            return []
        low, high = int(rows.min()), int(rows.max())
        if (high - low) * self._row_bytes <= _BLOCK_BYTES or high - low < 2 * len(rows):
            block = self._block(low, high + 1)
            return [self._read(*(cells[row - low] for cells in block)) for row in rows.tolist()]
        return [self._read(*(cells[0] for cells in self._block(row, row + 1))) for row in rows.tolist()]

    def _block(self, start: int, stop: int) -> list[list[Any]]:
        part = self._table[start:stop]
        return [part.column(name).to_pylist() for name in self._names]
