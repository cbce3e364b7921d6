"""Comma, semicolon and tab separated files, row by row."""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autopeft.data.bad_rows import BadRows
from autopeft.data.opening import MAX_LINE_BYTES, lines_of, open_bytes
from autopeft.data.records import Record, repeated_name
from autopeft.errors import DataError

# A line ends at \n, \r\n or, in files of old programs, at \r.
_PIECES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


def csv_records(path: Path, bad: BadRows) -> Iterator[Record]:
    """The rows below the header, blank lines left out.

    Raises:
        DataError: no header, one that names a column twice, or a row that cannot be read and may not be left out.
    """
    with open_bytes(path) as stream, _long_cells():
        lines = _Lines(lines_of(stream, path, bad))
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            raise DataError(f"{path} is empty", hint="give a file with at least one row")
        lines.put_back(first)
        reader = csv.reader(lines, delimiter=_delimiter(first, path), strict=True)
        try:
            header = _header(next(reader), path)
        except csv.Error as error:
            raise _broken(path, lines, error) from None
        yield from _rows(reader, lines, header, path, bad)


class _Lines:
    """Lines for the csv module, and what they amount to since `begin`.

    Attributes:
        first: number of the first line, from 1.
        count: of lines.
        size: in characters.
    """

    def __init__(self, numbered: Iterator[tuple[int, str]]) -> None:
        self._pieces: Iterator[tuple[int, str]] = (
            (number, piece) for number, line in numbered for piece in _PIECES.findall(line) if piece
        )
        self._held: list[str] = []
        self.first = self.count = self.size = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._held:
            return self._held.pop()
        number, piece = next(self._pieces)
        self.first = number if self.count == 0 else self.first
        self.count += 1
        self.size += len(piece)
        return piece

    def begin(self) -> None:
        """Count anew."""
        self.count = self.size = 0

    def put_back(self, line: str) -> None:
        """Give this line again next time."""
        self._held.append(line)


def _rows(
    reader: Iterator[list[str]], lines: _Lines, header: Sequence[str], path: Path, bad: BadRows
) -> Iterator[Record]:
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = _broken(path, lines, error)
            if lines.count > 1:
                raise problem from None  # an open quote: how many rows it swallowed is not known
            bad.unreadable(problem)
            continue
        if len(cells) == len(header):
            yield Record(lines.first, dict(zip(header, cells, strict=True)), lines.size)
        elif cells:
            bad.unreadable(
                DataError(
                    f"{path} line {lines.first}: {len(cells)} cells where line 1 has {len(header)}",
                    hint='put "..." around texts that hold a delimiter, quote or line break',
                )
            )


def _broken(path: Path, lines: _Lines, error: csv.Error) -> DataError:
    return DataError(
        f"{path} line {lines.first}: {error}", hint='write a quote inside of "..." twice, and close every one'
    )


def _header(cells: Sequence[str], path: Path) -> list[str]:
    names = [name.strip() for name in cells]
    twice = repeated_name(names)
    if twice is not None or not any(names):
        what = "names no column" if twice is None else f"names the column {twice!r} twice"
        raise DataError(f"{path} line 1 {what}", hint="the first line must name the columns, each once")
    return names


def _delimiter(first: str, path: Path) -> str:
    if ".tsv" in path.name.lower():
        return "\t"
    # Where the comma is the decimal point, spreadsheets write semicolons.
    return next((mark for mark in (",", ";", "\t") if mark in first), ",")


@contextmanager
def _long_cells() -> Iterator[None]:
    """The csv module's own limit of 128 KiB is below the length of real documents."""
    before = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)
