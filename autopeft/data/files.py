"""One data file into a table, or one error that names file and line."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import datasets

from autopeft.data.bad_rows import BadRows
from autopeft.data.csv_file import csv_records
from autopeft.data.json_file import is_json_lines, json_line_records, json_records
from autopeft.data.origin import Origin, OriginPart
from autopeft.data.parquet_file import read_parquet
from autopeft.data.records import Record
from autopeft.data.spool import spooled
from autopeft.data.text_file import text_records
from autopeft.errors import DataError

TextDocuments = Literal["auto", "line", "file"]

_KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".text": "text",
}
SUFFIXES = tuple(_KINDS)


@dataclass(frozen=True, slots=True)
class FileTable:
    """What a file holds.

    Attributes:
        rows: as a table.
        origin: places of the rows.
    """

    rows: datasets.Dataset
    origin: Origin


def file_kind(path: Path) -> str | None:
    """`csv`, `json`, `jsonl`, `parquet` or `text` by the file's name (also with .gz), or None."""
    name = path.name.lower().removesuffix(".gz")
    kind = None if name.startswith(".") else _KINDS.get(Path(name).suffix)
    # Parquet packs its columns itself, and is not read from front to back.
    return None if kind == "parquet" and path.name.lower().endswith(".gz") else kind


def read_file(path: Path, documents: TextDocuments = "line", bad: BadRows | None = None) -> FileTable:
    """Read one file. What is large lies in a temporary file afterwards, not in memory.

    Args:
        path: of the file; its ending names the format.
        documents: what a row of plain text is, a `line` or the whole `file`.
        bad: counts rows that cannot be read; by default the first stops everything.

    Raises:
        DataError: not readable, empty, broken, or of an unknown format.
        RunError: there is no room for temporary files.
    """
    kind = file_kind(path)
    if kind is None:
        raise unknown_format(path)
    numbers: array[int] | None = None
    if kind == "parquet":
        table = read_parquet(path)
    else:
        table, numbers = spooled(file_records(path, kind, documents, bad or BadRows()), str(path))
    if not table.num_rows:
        raise DataError(_nothing(path, kind), hint="give a file with at least one row")
    unit: Literal["row", "line"] = "row" if kind in ("json", "parquet") else "line"
    return FileTable(table, Origin((OriginPart(path.name, len(table), unit, numbers),)))


def unknown_format(path: Path) -> DataError:
    """The error for a file whose ending says nothing."""
    return DataError(f"{path}: the format is unknown", hint=f"files may be {', '.join(SUFFIXES)}, also .gz")


def file_records(path: Path, kind: str, documents: TextDocuments, bad: BadRows) -> Iterator[Record]:
    """The rows of a file of any kind but Parquet, one after the other.

    Args:
        path: of the file.
        kind: as `file_kind` says.
        documents: what a row of plain text is.
        bad: counts rows that cannot be read.

    Raises:
        DataError: the file cannot be read.
    """
    if kind == "csv":
        return csv_records(path, bad)
    if kind == "text":
        return text_records(path, documents, bad)
    return json_records(path, bad) if kind == "json" and not is_json_lines(path) else json_line_records(path, bad)


def _nothing(path: Path, kind: str) -> str:
    return f"{path} is empty" if kind in ("text", "jsonl") or not path.stat().st_size else f"{path} has no rows"
