"""The first rows of a data set, without reading the rest: enough to guess what it is for."""

import os
from itertools import islice
from pathlib import Path
from typing import Any

import datasets

from autopeft.data.extract import Table
from autopeft.data.files import file_kind, file_records, unknown_format
from autopeft.data.folders import files_by_split
from autopeft.data.parquet_file import first_of_parquet
from autopeft.data.sources import Reading, is_saved_by_datasets, read_tables
from autopeft.data.spool import spooled

PEEK_ROWS = 100


def first_rows(source: Any, how: Reading) -> datasets.Dataset:
    """Up to 100 rows of the train split.

    Args:
        source: see `sources.read_tables`.
        how: options.

    Raises:
        DataError: the source cannot be read.
    """
    path = _first_file(source, how)
    if path is not None:
        return _of_file(path, how)
    table: Table = read_tables(source, how)["train"]
    return table.data.select(range(min(PEEK_ROWS, len(table.data))))


def _first_file(source: Any, how: Reading) -> Path | None:
    """The file that the train split begins with, where it is one."""
    if not isinstance(source, str | os.PathLike):
        return None
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if not path.is_dir() or is_saved_by_datasets(path):
        return None
    files = files_by_split(path, how.splits).get("train")
    return files[0] if files else None


def _of_file(path: Path, how: Reading) -> datasets.Dataset:
    kind = file_kind(path)
    if kind == "parquet":
        return first_of_parquet(path, PEEK_ROWS)
    if kind is None:
        raise unknown_format(path)
    records = file_records(path, kind, "line" if how.documents == "auto" else how.documents, how.bad)
    return spooled(islice(records, PEEK_ROWS), str(path))[0]
