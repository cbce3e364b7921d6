"""Which files of a folder make which split."""

import re
from collections import defaultdict
from pathlib import Path

from autopeft.data.files import SUFFIXES, file_kind
from autopeft.errors import DataError

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def split_name(name: str) -> str | None:
    """The split that a file or split name means (`train-00000-of-2`, `dev`), or None."""
    return SPLIT_WORDS.get(re.split(r"[-_. ]", name.strip().lower(), maxsplit=1)[0])


def files_by_split(folder: Path) -> dict[str, list[Path]]:
    """Split -> its files, sorted.

    A split is one file (`train.csv`), several (`train-00000.parquet`, ...) or a folder of files
    (`train/`), here or in `data/`. A folder that names no split is the train split if it holds one data
    file, or only plain texts.

    Raises:
        DataError: no data file, files that name no split, or a split in two formats.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    loose: list[Path] = []
    for path in sorted(folder.iterdir()):
        split = split_name(path.name)
        if path.is_dir() and split:
            found[split] += [file for file in sorted(path.rglob("*")) if file.is_file() and file_kind(file)]
        elif path.is_file() and file_kind(path):
            (found[split] if split else loose).append(path)
    found = defaultdict(list, {split: files for split, files in found.items() if files})
    if found:
        for split, files in found.items():
            _refuse_mixture(files, split)
        return dict(found)
    if (folder / "data").is_dir():
        return files_by_split(folder / "data")
    if not loose:
        raise DataError(f"{folder} holds no data file", hint=f"files may be {', '.join(SUFFIXES)}, also .gz")
    if len(loose) > 1 and any(file_kind(path) != "text" for path in loose):
        names = ", ".join(path.name for path in loose[:5])
        raise DataError(f"the files in {folder} name no split: {names}", hint="name them train.*, validation.*, test.*")
    return {"train": loose}


def _refuse_mixture(files: list[Path], split: str) -> None:
    kinds = {file_kind(path) for path in files}
    if len(kinds) > 1:
        names = ", ".join(path.name for path in files[:5])
        raise DataError(f"the {split} split comes in several formats: {names}", hint="keep one of them")
