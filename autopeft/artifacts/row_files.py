"""Rows from a file and, with more columns, to a file: one row at a time, so that the size of neither matters."""

import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from autopeft.data.bad_rows import BadRows
from autopeft.data.csv_file import csv_records
from autopeft.data.json_file import json_line_records
from autopeft.data.records import Record
from autopeft.errors import DataError, RunError, UsageError

Row = dict[str, Any]
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
# The endings of files of rows.
FORMATS = (*_DELIMITERS, *JSON_LINES)


class _Unforgiving(BadRows):
    """A row that cannot be read stops everything: each row of the input must have its answer."""

    def unreadable(self, error: DataError) -> None:
        raise error


class RowWriter(Protocol):
    """Takes rows one after the other."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row.

        Raises:
            DataError: it has a column that the file has no place for.
        """


def format_of(path: Path) -> str:
    """The ending that says how the rows of a file are written: `.csv`, `.tsv`, `.jsonl` or `.ndjson`.

    Raises:
        UsageError: it is none of them.
    """
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending not in FORMATS:
        raise UsageError(f"{path} is not named as a file of rows", hint=f"files may be {', '.join(FORMATS)}")
    return ending


def read_rows(path: Path) -> Iterator[Record]:
    """The rows of a CSV, TSV or JSON Lines file, also gzipped, as they are asked for.

    Raises:
        UsageError: its name tells no known format.
        DataError: it cannot be read, or one of its rows cannot; the message names the line.
    """
    reader = csv_records if format_of(path) in _DELIMITERS else json_line_records
    return reader(path, _Unforgiving())


def columns_for(source: Path, ending: str) -> tuple[str, ...]:
    """The columns that a file of this ending must be given beforehand: all those of the rows of `source`.

    The rows of JSON Lines may each have columns of their own; in a CSV the first line names all. Reads the whole file
    in that case, and nothing otherwise.

    Raises:
        DataError: it cannot be read.
    """
    if ending in JSON_LINES or format_of(source) not in JSON_LINES:
        return ()
    return tuple(dict.fromkeys(name for record in read_rows(source) for name in record.cells))


@contextmanager
def written_rows(path: Path | None, ending: str, columns: Sequence[str] = ()) -> Iterator[RowWriter]:
    """A writer of rows; the file is there whole when the block ends, and not at all when it fails.

    Args:
        path: of the file; None for standard output.
        ending: the format, of `FORMATS`.
        columns: that come first, whether the first row has them or not; see `columns_for`.

    Raises:
        RunError: the file cannot be written.
    """
    if path is None:
        yield _writer(sys.stdout, ending, columns)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as stream:
            yield _writer(stream, ending, columns)
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}", hint="name a place that can be written") from error
    finally:
        temporary.unlink(missing_ok=True)


def _writer(stream: IO[str], ending: str, columns: Sequence[str]) -> RowWriter:
    return _Delimited(stream, _DELIMITERS[ending], columns) if ending in _DELIMITERS else _JsonLines(stream)


class _Delimited:
    """The first row names the columns; lists and mappings within a cell are JSON."""

    def __init__(self, stream: IO[str], delimiter: str, columns: Sequence[str]) -> None:
        self._writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        self._first = tuple(columns)
        self._columns: list[str] = []

    def write(self, row: Mapping[str, Any]) -> None:
        """See `RowWriter.write`."""
        if not self._columns:
            self._columns = list(dict.fromkeys((*self._first, *row)))
            self._writer.writerow(self._columns)
        new = next((column for column in row if column not in self._columns), None)
        if new is not None:
            raise DataError(f"the column {new!r} is in no row before", hint="write to a .jsonl file")
        self._writer.writerow([_cell(row.get(column)) for column in self._columns])


class _JsonLines:
    """One object a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, row: Mapping[str, Any]) -> None:
        """See `RowWriter.write`."""
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
