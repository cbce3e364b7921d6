"""Which files of a folder make which split."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from autopeft.data.files import SUFFIXES, file_kind
from autopeft.errors import DataError

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "validation": "validation",
    "validate": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "heldout": "test",
    "holdout": "test",
}


def split_name(name: str) -> str | None:
    """The split that a file or split name means (`train-00000-of-2`, `dev`, `sst2_test.csv`), or None."""
    first, *rest = re.split(r"[-_. ]", name.strip().lower())
    if first in SPLIT_WORDS:
        return SPLIT_WORDS[first]
    meant = {SPLIT_WORDS[word] for word in rest if word in SPLIT_WORDS}
    return meant.pop() if len(meant) == 1 else None


def files_by_split(folder: Path, named: Mapping[str, str] | None = None) -> dict[str, list[Path]]:
    """Split -> its files, sorted.

    A split is one file (`train.csv`), several (`train-00000.parquet`, ...) or a folder of files
    (`train/`), here or in `data/`. A folder that names no split is the train split if it holds one data
    file, or only plain texts.

    Args:
        folder: to look in.
        named: split -> name of its file (with or without its ending) or folder, where the user says so.

    Raises:
        DataError: no data file, files that name no split, a split in two formats, a link that leads out of the
            folder, or a name that is not there.
    """
    meant = {name: split for split, name in (named or {}).items()}
    found: dict[str, list[Path]] = defaultdict(list)
    loose: list[Path] = []
    for path in sorted(folder.iterdir()):
        split = meant.get(path.name) or meant.get(path.name.split(".")[0]) or (None if meant else split_name(path.name))
        if path.is_dir() and split:
            found[split] += [file for file in sorted(path.rglob("*")) if file.is_file() and file_kind(file)]
        elif path.is_file() and file_kind(path):
            (found[split] if split else loose).append(path)
    found = defaultdict(list, {split: files for split, files in found.items() if files})
    _refuse_links_out(folder, (*loose, *(file for files in found.values() for file in files)))
    if found:
        for split, files in found.items():
            _refuse_mixture(files, split)
        _require_named(folder, named or {}, found)
        return dict(found)
    if (folder / "data").is_dir():
        _refuse_links_out(folder, [folder / "data"])
        return files_by_split(folder / "data", named)
    _require_named(folder, named or {}, found)
    if not loose:
        raise DataError(f"{folder} holds no data file", hint=f"files may be {', '.join(SUFFIXES)}, also .gz")
    if len(loose) > 1 and any(file_kind(path) != "text" for path in loose):
        names = ", ".join(path.name for path in loose[:5])
        raise DataError(
            f"the files in {folder} name no split: {names}",
            hint="name them train.*, validation.*, test.*, or say --split train=NAME",
        )
    return {"train": loose}


def _require_named(folder: Path, named: Mapping[str, str], found: Mapping[str, list[Path]]) -> None:
    absent = next((name for split, name in named.items() if split not in found), None)
    if absent is not None:
        raise DataError(f"{folder} holds no data file {absent}", hint="--split takes the name of a file in the folder")


def _refuse_links_out(folder: Path, files: Iterable[Path]) -> None:
    inside = folder.resolve()
    for path in files:
        if not path.resolve().is_relative_to(inside):
            raise DataError(
                f"{path} is a link that leads out of the folder", hint="copy the file here, or name the file itself"
            )


def _refuse_mixture(files: list[Path], split: str) -> None:
    kinds = {file_kind(path) for path in files}
    if len(kinds) > 1:
        names = ", ".join(path.name for path in files[:5])
        raise DataError(f"the {split} split comes in several formats: {names}", hint="keep one of them")
