"""Where rows come from: tables in memory, files, folders of split files, the hub."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets

from autopeft.data.arrow import table_of
from autopeft.data.files import SUFFIXES, TextDocuments, read_file
from autopeft.data.folders import files_by_split, split_name
from autopeft.data.hub import looks_like_hub_id, read_hub
from autopeft.errors import DataError

_KINDS = ", ".join(SUFFIXES)


def read_source(source: Any, *, documents: TextDocuments = "auto") -> dict[str, datasets.Dataset]:
    """Read a data set into its splits.

    Args:
        source: a file (CSV, TSV, JSON, JSON Lines, Parquet or plain text, each also gzipped; one file is
            the train split), a folder with one file or folder a split, a folder that `datasets` saved,
            a hub id (`owner/name` or `owner/name:configuration`), a pandas DataFrame, a `datasets.Dataset`
            or `DatasetDict`, a mapping of columns to lists, or a mapping of split names to any of these.
        documents: what a row of plain text is: `line`, `file`, or `auto` (lines of a single file, whole
            files of a folder).

    Returns:
        Splits by their names `train`, `validation`, `test`; a `train` split is always among them.

    Raises:
        DataError: nothing is there, it is empty or broken, or the hub cannot be reached; the message
            names file and line where there is one.
    """
    tables = _tables(source, documents)
    if "train" not in tables:
        found = ", ".join(tables) or "nothing"
        raise DataError(f"the data has no train split, only {found}", hint="name one file or split train")
    for split, table in tables.items():
        if table.num_rows == 0:
            raise DataError(f"the {split} split has no rows", hint="give at least one row, or leave the split out")
    return tables


def _tables(source: Any, documents: TextDocuments) -> dict[str, datasets.Dataset]:
    if isinstance(source, datasets.DatasetDict | datasets.Dataset):
        return _of_datasets(source)
    if isinstance(source, str | os.PathLike):
        return _of_name(os.fspath(source), documents)
    if isinstance(source, Mapping):
        return _of_mapping(source, documents)
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # a DataFrame, without importing pandas
        return {"train": table_of({str(name): source[name].tolist() for name in source.columns}, "the table")}
    raise DataError(
        f"a data set cannot be read from a {type(source).__name__}",
        hint="give a path, a hub id, a DataFrame, a datasets.Dataset, or {'train': ...}",
    )


def _of_mapping(source: Mapping[str, Any], documents: TextDocuments) -> dict[str, datasets.Dataset]:
    """Splits by name, or columns by name."""
    names = {name: split_name(str(name)) for name in source}
    if source and all(isinstance(column, list | tuple) for column in source.values()):
        return {"train": table_of({str(name): list(column) for name, column in source.items()}, "the table")}
    strange = next((name for name, split in names.items() if split is None), None)
    if strange is not None:
        raise DataError(f"{strange!r} is no name of a split", hint="name the splits train, validation and test")
    tables: dict[str, datasets.Dataset] = {}
    for name, part in source.items():
        split = str(names[name])
        if split in tables:
            raise DataError(f"two splits mean {split}: {', '.join(map(str, source))}", hint="keep one of them")
        inner = _tables(part, documents)
        if list(inner) != ["train"]:
            raise DataError(f"the {split} split is itself a set of splits: {', '.join(inner)}", hint="give one table")
        tables[split] = inner["train"]
    return tables


def _of_datasets(source: "datasets.Dataset | datasets.DatasetDict") -> dict[str, datasets.Dataset]:
    if isinstance(source, datasets.Dataset):
        return {"train": source}
    named: dict[str, datasets.Dataset] = {}
    for name, table in source.items():
        split = split_name(str(name))
        # Extra splits of hub data sets (`unsupervised`, `validation_mismatched`) are left alone.
        if split is not None and split not in named:
            named[split] = table
    return named


def _of_name(name: str, documents: TextDocuments) -> dict[str, datasets.Dataset]:
    path = Path(name).expanduser()
    if path.is_dir():
        return _of_folder(path, documents)
    if path.is_file():
        mode: TextDocuments = "line" if documents == "auto" else documents
        return {"train": read_file(path, mode)}
    if looks_like_hub_id(name):
        return _of_datasets(read_hub(name))
    raise DataError(f"there is no file or folder {name}", hint=f"check the path; files may be {_KINDS}, also .gz")


def _of_folder(folder: Path, documents: TextDocuments) -> dict[str, datasets.Dataset]:
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        try:
            return _of_datasets(datasets.load_from_disk(str(folder)))
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{folder} is no readable folder of datasets: {error}", hint="save it again") from None
    tables: dict[str, datasets.Dataset] = {}
    for split, files in files_by_split(folder).items():
        mode: TextDocuments = documents
        if documents == "auto":
            mode = "file" if len(files) > 1 else "line"
        parts = [read_file(path, mode) for path in files]
        tables[split] = parts[0] if len(parts) == 1 else _joined(parts, split, folder)
    return tables


def _joined(parts: list[datasets.Dataset], split: str, folder: Path) -> datasets.Dataset:
    try:
        return datasets.concatenate_datasets(parts)
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the files of the {split} split in {folder} do not fit together: {reason}",
            hint="give them the same columns",
        ) from None
