"""Rows into a table that stays within bounded memory: large ones lie in a temporary file that is mapped."""

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import datasets
import pyarrow

from autopeft.data.arrow import joined, plain_array
from autopeft.data.records import Record
from autopeft.errors import RunError

# Below this, a table is kept in memory.
MAX_MEMORY_BYTES = 2**27
_CHUNK_BYTES = 2**23
_CHUNK_ROWS = 10_000
# What a cell takes beside its text; it bounds chunks of many small cells.
_CELL_BYTES = 16


class Spool:
    """Parts of a table, on disk from the moment that they outgrow `max_memory_bytes`."""

    def __init__(self, max_memory_bytes: int | None = None) -> None:
        """Begin with no part.

        Args:
            max_memory_bytes: by default `MAX_MEMORY_BYTES`.
        """
        self._most = MAX_MEMORY_BYTES if max_memory_bytes is None else max_memory_bytes
        self._parts: list[pyarrow.Table] = []
        self._in_memory = 0

    def add(self, part: pyarrow.Table) -> None:
        """Append rows; the columns of a part may differ from those of others.

        Raises:
            RunError: the temporary folder has no room.
        """
        self._in_memory += part.nbytes
        if self._in_memory > self._most:
            part = _mapped(part)
        self._parts.append(part)

    def table(self) -> datasets.Dataset:
        """All rows; see `arrow.joined`."""
        on_disk = self._in_memory > self._most
        whole = joined(self._parts, _mapped if on_disk else lambda part: part) if self._parts else pyarrow.table({})
        # The fingerprint is given, since datasets would pickle the rows for one; nothing is cached by it.
        return datasets.Dataset(whole, fingerprint="read-by-autopeft")


def spooled(records: Iterable[Record], shown: str) -> tuple[datasets.Dataset, "array[int]"]:
    """All records as a table, and the number of each.

    Args:
        records: of one file.
        shown: the file's name in messages.

    Raises:
        DataError: text that is no valid Unicode.
        RunError: the temporary folder has no room.
    """
    spool, numbers = Spool(), array("q")
    for chunk in _chunks(records):
        numbers.extend(record.number for record in chunk)
        names = dict.fromkeys(name for record in chunk for name in record.cells)
        columns = {name: [record.cells.get(name) for record in chunk] for name in names}
        arrays = {name: plain_array(name, cells, shown, chunk[0].number) for name, cells in columns.items()}
        # A row without any cell still counts, which a table without columns cannot say.
        spool.add(pyarrow.table(arrays or {"": pyarrow.nulls(len(chunk), pyarrow.string())}))
    return spool.table(), numbers


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += record.size_bytes + _CELL_BYTES * len(record.cells)
        if size >= _CHUNK_BYTES or len(chunk) >= _CHUNK_ROWS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _mapped(part: pyarrow.Table) -> pyarrow.Table:
    """The part, moved to a file without a name: the system takes the room back when the process ends, however."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="autopeft-", suffix=".arrow")
        os.close(descriptor)
        path = Path(name)
        try:
            with pyarrow.ipc.new_file(name, part.schema) as writer:
                writer.write_table(part)
            return pyarrow.ipc.open_file(pyarrow.memory_map(name)).read_all()
        finally:
            path.unlink()
    except OSError as error:
        folder = tempfile.gettempdir()
        raise RunError(
            f"no room in {folder} to lay the data set out: {error.strerror or error}",
            hint="make room there, or name another folder with TMPDIR",
        ) from None
