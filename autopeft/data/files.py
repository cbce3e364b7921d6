"""One data file into a table, or one error that names file and line."""

import contextlib
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import datasets
import pyarrow
import pyarrow.parquet

from autopeft.data.arrow import table_of
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
# The csv module's own limit of 128 KiB is below the length of real documents.
_MAX_CELL_CHARACTERS = 2**26


def file_kind(path: Path) -> str | None:
    """`csv`, `json`, `jsonl`, `parquet` or `text` by the file's name (also with .gz), or None."""
    name = path.name.lower().removesuffix(".gz")
    return None if name.startswith(".") else _KINDS.get(Path(name).suffix)


def read_file(path: Path, documents: TextDocuments = "line") -> datasets.Dataset:
    """Read one file.

    Args:
        path: of the file; its ending names the format.
        documents: what a row of plain text is, a `line` or the whole `file`.

    Raises:
        DataError: not readable, empty, broken, or of an unknown format.
    """
    kind = file_kind(path)
    if kind is None:
        raise DataError(f"{path}: the format is unknown", hint=f"files may be {', '.join(SUFFIXES)}, also .gz")
    if kind == "parquet":
        table = _read_parquet(path)
    else:
        text = _read_text(path)
        if not text.strip():
            raise DataError(f"{path} is empty", hint="give a file with at least one row")
        table = table_of(_columns(kind, text, path, documents), str(path))
    if not table.num_rows:
        raise DataError(f"{path} has no rows", hint="give a file with at least one row")
    return table


def _columns(kind: str, text: str, path: Path, documents: TextDocuments) -> dict[str, list[Any]]:
    if kind == "csv":
        return _parse_csv(text, path)
    if kind == "text":
        parts = [text] if documents == "file" else text.split("\n")
        return {"text": [part.rstrip("\r") for part in parts if part.strip()]}
    return _parse_json(text, path) if kind == "json" else _parse_json_lines(text, path)


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{path} line {line}: not UTF-8 text", hint="save the file as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is no complete gzip file: {error}", hint="compress it again") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="check the path and its rights") from None


def _parse_csv(text: str, path: Path) -> dict[str, list[Any]]:
    delimiter = _delimiter(text, path)
    rows: list[list[str]] = []
    with _long_cells():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            header = _header(next(reader), path)
            for cells in reader:
                if cells and len(cells) != len(header):
                    raise DataError(
                        f"{path} line {reader.line_num}: {len(cells)} cells where line 1 has {len(header)}",
                        hint='put "..." around texts that hold a delimiter, quote or line break',
                    )
                if cells:
                    rows.append(cells)
        except csv.Error as error:
            raise DataError(
                f"{path} line {reader.line_num}: {error}",
                hint='write a quote inside of "..." twice, and close every one',
            ) from None
    return {name: [row[index] for row in rows] for index, name in enumerate(header)}


def _header(cells: Sequence[str], path: Path) -> list[str]:
    names = [name.strip() for name in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not any(names):
        what = "names no column" if twice is None else f"names the column {twice!r} twice"
        raise DataError(f"{path} line 1 {what}", hint="the first line must name the columns, each once")
    return names


def _delimiter(text: str, path: Path) -> str:
    if ".tsv" in path.name.lower():
        return "\t"
    first = text.lstrip("\r\n").split("\n", 1)[0]
    # Where the comma is the decimal point, spreadsheets write semicolons.
    return next((mark for mark in (",", ";", "\t") if mark in first), ",")


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    before = csv.field_size_limit(_MAX_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parse_json_lines(text: str, path: Path) -> dict[str, list[Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path} line {number}: broken JSON: {_one_line(error)}",
                hint="every line must be one JSON object",
            ) from None
        if not isinstance(row, dict):
            raise DataError(
                f"{path} line {number}: a {type(row).__name__}, not an object",
                hint="every line must be one JSON object",
            )
        rows.append(row)
    return _by_column(rows)


def _parse_json(text: str, path: Path) -> dict[str, list[Any]]:
    """A list of objects, an object that holds one, an object of columns, or JSON Lines in disguise."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error):
            return _parse_json_lines(text, path)
        raise DataError(f"{path}: broken JSON: {_one_line(error)}", hint="check the file with a JSON tool") from None
    if isinstance(value, dict) and len(value) == 1:
        inner = next(iter(value.values()))
        value = inner if _is_rows(inner) else value
    if _is_rows(value):
        return _by_column(value)
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        return dict(value)
    if isinstance(value, dict) and value:
        return _by_column([value])
    raise DataError(f"{path}: neither a list of objects nor columns", hint='write [{"text": ..., "label": ...}, ...]')


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _by_column(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _read_parquet(path: Path) -> datasets.Dataset:
    try:
        return datasets.Dataset(pyarrow.parquet.read_table(path))
    except (OSError, pyarrow.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"{path} is no readable Parquet file: {_one_line(error)}", hint="write it again") from None


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
