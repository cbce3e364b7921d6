"""The bytes of a data file, plain or gzipped, within bounds that no honest file meets."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from autopeft.data.bad_rows import BadRows
from autopeft.errors import DataError

# One row: ten times the largest cells that people have.
MAX_LINE_BYTES = 2**26
# A file that must be parsed in one piece.
MAX_PIECE_BYTES = 2**28
# Text shrinks by 3 to 20 with gzip, monotonous logs by 100; a bomb by the format's limit of 1032.
_MAX_EXPANSION = 200
_EXPANSION_FREE_BYTES = 2**26
_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


class _Bounded:
    """Reads that refuse to give far more than what lies on disk."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream = stream
        self._path = path
        self._given = 0
        self._most = max(_EXPANSION_FREE_BYTES, _MAX_EXPANSION * path.stat().st_size)

    def _counted(self, part: bytes) -> bytes:
        self._given += len(part)
        if self._given > self._most:
            raise DataError(
                f"{self._path} unpacks to more than {_MAX_EXPANSION} times its size",
                hint="unpack it yourself if you trust it",
            )
        return part

    def readline(self, size: int) -> bytes:
        return self._counted(self._stream.readline(size))

    def read(self, size: int) -> bytes:
        return self._counted(self._stream.read(size))


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to read, unpacking what ends in `.gz`.

    Raises:
        DataError: it cannot be read, is no complete gzip file, or unpacks to far more than its size.
    """
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path, "rb") as stream:
                yield cast(IO[bytes], _Bounded(cast(IO[bytes], stream), path))
        else:
            with open(path, "rb") as plain:
                yield plain
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is no complete gzip file: {error}", hint="compress it again") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="check the path and its rights") from None


def lines_of(stream: IO[bytes], path: Path, bad: BadRows) -> Iterator[tuple[int, str]]:
    """(number from 1, text with its line end) of every line, without a byte-order mark.

    Raises:
        DataError: a line is beyond `MAX_LINE_BYTES`, or not UTF-8 and may not be left out.
    """
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise DataError(
                f"{path} line {number} is longer than {MAX_LINE_BYTES >> 20} MiB",
                hint="write one row a line, as JSON Lines or CSV",
            )
        text = decoded(raw.removeprefix(_UTF8_MARK) if number == 1 else raw, f"{path} line {number}", bad)
        if text is not None:
            yield number, text


def whole_text(path: Path, bad: BadRows) -> str:
    """All of a file.

    Raises:
        DataError: it is beyond `MAX_PIECE_BYTES`, or not UTF-8.
    """
    with open_bytes(path) as stream:
        raw = stream.read(MAX_PIECE_BYTES + 1)
    if len(raw) > MAX_PIECE_BYTES:
        raise DataError(
            f"{path} is one piece of more than {MAX_PIECE_BYTES >> 20} MiB",
            hint="write one row a line, as JSON Lines, which is read row by row",
        )
    return decoded(raw.removeprefix(_UTF8_MARK), str(path), bad) or ""


def decoded(raw: bytes, place: str, bad: BadRows) -> str | None:
    """The text, or None where it is not UTF-8 and counted as a bad row."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if raw.startswith(_UTF16_MARKS) else "not UTF-8"
        inner = raw[: error.start].count(b"\n")
        where = f" line {inner + 1}" if inner else ""
        bad.unreadable(DataError(f"{place}{where}: {kind} text", hint="save the file as UTF-8"))
        return None
