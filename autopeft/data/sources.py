"""Where rows come from: tables in memory, files, folders of split files, the hub."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from autopeft.data.arrow import joined, table_of
from autopeft.data.bad_rows import BadRows
from autopeft.data.extract import Table
from autopeft.data.files import SUFFIXES, FileTable, TextDocuments, read_file
from autopeft.data.folders import files_by_split, split_name
from autopeft.data.hub import looks_like_hub_id, read_hub
from autopeft.data.origin import Origin
from autopeft.data.records import repeated_name
from autopeft.errors import DataError

_KINDS = ", ".join(SUFFIXES)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read.

    Attributes:
        documents: what a row of plain text is: `line`, `file`, or `auto` (lines of a single file, whole files of a
            folder).
        splits: split -> the name that the source has for it, where the user says so.
        bad: counts rows that cannot be read.
    """

    documents: TextDocuments = "auto"
    splits: Mapping[str, str] = field(default_factory=dict)
    bad: BadRows = field(default_factory=BadRows)


def read_source(source: Any, *, documents: TextDocuments = "auto") -> dict[str, datasets.Dataset]:
    """The rows of each split alone; see `read_tables`."""
    return {split: table.data for split, table in read_tables(source, Reading(documents)).items()}


def read_tables(source: Any, how: Reading | None = None) -> dict[str, Table]:
    """Read a data set into its splits.

    Args:
        source: a file (CSV, TSV, JSON, JSON Lines, Parquet or plain text, most also gzipped; one file is
            the train split), a folder with one file or folder a split, a folder that `datasets` saved,
            a hub id (`owner/name` or `owner/name:configuration`), a pandas DataFrame, a `datasets.Dataset`
            or `DatasetDict`, a mapping of columns to lists, or a mapping of split names to any of these.
        how: options.

    Returns:
        Splits by their names `train`, `validation`, `test`; a `train` split is always among them.

    Raises:
        DataError: nothing is there, it is empty or broken, or the hub cannot be reached; the message
            names file and line where there is one.
        RunError: there is no room for temporary files.
    """
    tables = _tables(source, how or Reading())
    if "train" not in tables:
        found = ", ".join(tables) or "nothing"
        raise DataError(f"the data has no train split, only {found}", hint="name one file or split train")
    for split, table in tables.items():
        if table.data.num_rows == 0:
            raise DataError(f"the {split} split has no rows", hint="give at least one row, or leave the split out")
    return tables


def _tables(source: Any, how: Reading) -> dict[str, Table]:
    if isinstance(source, datasets.DatasetDict | datasets.Dataset):
        return _of_datasets(source, how)
    if isinstance(source, str | os.PathLike):
        return _of_name(os.fspath(source), how)
    if isinstance(source, Mapping):
        return _of_mapping(source, how)
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # a DataFrame, without importing pandas
        return {"train": Table(table_of(_frame_columns(source), "the table"))}
    raise DataError(
        f"a data set cannot be read from a {type(source).__name__}",
        hint="give a path, a hub id, a DataFrame, a datasets.Dataset, or {'train': ...}",
    )


def _frame_columns(frame: Any) -> dict[str, list[Any]]:
    names = [str(name) for name in frame.columns]
    twice = repeated_name(names)
    if twice is not None:
        raise DataError(f"the table names the column {twice!r} twice", hint="give every column a name of its own")
    return {name: frame[column].tolist() for name, column in zip(names, frame.columns, strict=True)}


def _of_mapping(source: Mapping[str, Any], how: Reading) -> dict[str, Table]:
    """Splits by name, or columns by name."""
    if source and all(isinstance(column, list | tuple) for column in source.values()):
        return {"train": Table(table_of({str(name): list(column) for name, column in source.items()}, "the table"))}
    named = {str(name): part for name, part in source.items()}
    strange = next((name for name in named if split_name(name) is None and not how.splits), None)
    if strange is not None:
        raise DataError(f"{strange!r} is no name of a split", hint="name the splits train, validation and test")
    tables: dict[str, Table] = {}
    for split, name in _names_by_split(named, how).items():
        inner = _tables(named[name], Reading(how.documents, {}, how.bad))
        if list(inner) != ["train"]:
            raise DataError(f"the {split} split is itself a set of splits: {', '.join(inner)}", hint="give one table")
        tables[split] = inner["train"]
    if not how.splits and len(tables) < len(named):
        raise DataError(f"two splits mean the same: {', '.join(named)}", hint="keep one of them")
    return tables


def _of_datasets(source: "datasets.Dataset | datasets.DatasetDict", how: Reading) -> dict[str, Table]:
    if isinstance(source, datasets.Dataset):
        return {"train": Table(source)}
    return {split: Table(source[name]) for split, name in _names_by_split(source, how).items()}


def _names_by_split(named: Mapping[str, Any], how: Reading) -> dict[str, str]:
    """Split -> the name that it has in the source; extra splits (`unsupervised`, ...) are left alone.

    Raises:
        DataError: a name that the user gave is not there.
    """
    if not how.splits:
        found: dict[str, str] = {}
        for name in named:
            split = split_name(str(name))
            if split is not None:
                found.setdefault(split, str(name))
        return found
    absent = next((name for name in how.splits.values() if name not in named), None)
    if absent is not None:
        raise DataError(f"there is no split {absent!r}; there are {', '.join(named)}", hint="correct --split")
    return dict(how.splits)


def _of_name(name: str, how: Reading) -> dict[str, Table]:
    path = Path(name).expanduser()
    if path.is_dir():
        return _of_folder(path, how)
    if path.is_file():
        mode: TextDocuments = "line" if how.documents == "auto" else how.documents
        return {"train": _as_table(read_file(path, mode, how.bad))}
    if looks_like_hub_id(name):
        return _of_datasets(read_hub(name), how)
    raise DataError(f"there is no file or folder {name}", hint=f"check the path; files may be {_KINDS}, also .gz")


def _of_folder(folder: Path, how: Reading) -> dict[str, Table]:
    if is_saved_by_datasets(folder):
        try:
            return _of_datasets(datasets.load_from_disk(str(folder)), how)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{folder} is no readable folder of datasets: {error}", hint="save it again") from None
    tables: dict[str, Table] = {}
    for split, files in files_by_split(folder, how.splits).items():
        mode: TextDocuments = how.documents
        if how.documents == "auto":
            mode = "file" if len(files) > 1 else "line"
        tables[split] = _joined([read_file(path, mode, how.bad) for path in files])
    return tables


def is_saved_by_datasets(folder: Path) -> bool:
    """Whether `datasets` wrote the folder with `save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def _joined(parts: list[FileTable]) -> Table:
    """Files one after the other; what their columns hold may differ as it may within a file."""
    if len(parts) == 1 or all(part.rows.features == parts[0].rows.features for part in parts):
        rows = datasets.concatenate_datasets([part.rows for part in parts]) if len(parts) > 1 else parts[0].rows
    else:
        rows = datasets.Dataset(joined([part.rows.data.table for part in parts], lambda part: part))
    return Table(rows, Origin(tuple(one for part in parts for one in part.origin.parts)))


def _as_table(part: FileTable) -> Table:
    return Table(part.rows, part.origin)
