"""Rows of tokens written as they come: a split of any size takes bounded memory."""

import tempfile
from array import array
from collections.abc import Iterable, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt

from autopeft.data.task_data import Ragged
from autopeft.errors import RunError

# Below this, tokens are kept in memory.
MAX_MEMORY_BYTES = 2**28


class RaggedWriter:
    """Collects rows of numbers as flat int32, in a temporary file from the moment that they outgrow memory.

    Usage: `add` any number of times, then `close` once.
    """

    def __init__(self, max_memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        """Begin with no row.

        Args:
            max_memory_bytes: what may be kept in memory.
        """
        self._most = max_memory_bytes
        self._parts: list[npt.NDArray[np.int32]] = []
        self._stream: IO[bytes] | None = None
        self._offsets = array("q", [0])

    def add(self, rows: Iterable[Sequence[int]]) -> None:
        """Append rows.

        Raises:
            RunError: the temporary folder has no room.
        """
        flat = array("i")
        for row in rows:
            flat.extend(row)
            self._offsets.append(self._offsets[-1] + len(row))
        self._parts.append(np.frombuffer(flat, dtype=np.int32))
        if self._stream is not None or 4 * self._offsets[-1] > self._most:
            self._spill()

    def close(self) -> Ragged:
        """All rows; those in a file are mapped from it."""
        offsets = np.frombuffer(self._offsets, dtype=np.int64)
        if self._stream is None:
            return Ragged(np.concatenate([np.empty(0, np.int32), *self._parts]), offsets)
        self._stream.flush()
        with self._stream:  # the mapping keeps the file, which has no name, until it is itself let go
            return Ragged(np.memmap(self._stream, np.int32, "r"), offsets)

    def _spill(self) -> None:
        try:
            if self._stream is None:
                self._stream = tempfile.TemporaryFile(prefix="autopeft-")  # noqa: SIM115 - `close` closes it
            for part in self._parts:
                self._stream.write(part.tobytes())
        except OSError as error:
            raise RunError(
                f"no room in {tempfile.gettempdir()} for the tokens: {error.strerror}",
                hint="make room there, or name another folder with TMPDIR",
            ) from None
        self._parts.clear()
