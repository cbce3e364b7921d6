"""A user's own folder of catalogue files, read beside the shipped ones: what may lie in it, and how much."""

from pathlib import Path

from autopeft.catalog.problems import Problem
from autopeft.errors import CatalogError

# The shipped catalogue has some 150 files; a folder with thousands is somebody's home directory.
MOST_FILES = 1000
_FORM = "lay it out like search_spaces/: methods/<id>.yaml, rules/<theme>.yaml, tasks/<id>.yaml, …"


def require_folder(folder: Path) -> Path:
    """The folder, in full, if it is one of reasonable size.

    Raises:
        CatalogError: it is none, or holds more files than any catalogue.
    """
    if not folder.is_dir():
        raise CatalogError(f"the catalogue {folder} is no folder", hint=_FORM)
    files = sum(1 for path in folder.glob("*/*") if path.suffix in (".yaml", ".yml"))
    if files > MOST_FILES:
        raise CatalogError(f"the catalogue {folder} holds {files} YAML files, more than {MOST_FILES}", hint=_FORM)
    return folder.resolve()


def misplaced(folder: Path, kinds: frozenset[str]) -> list[Problem]:
    """What lies where no reader would find it: a misspelt folder must not be skipped in silence.

    Args:
        folder: of the user.
        kinds: the folders that are read.
    """
    known = ", ".join(sorted(kinds))
    found = []
    for path in sorted(folder.iterdir()):
        is_yaml = path.suffix in (".yaml", ".yml")
        if is_yaml or (path.is_dir() and path.name not in kinds and any(path.glob("*.y*ml"))):
            what = f"nothing reads this; put YAML files into one of {known}"
            found.append(Problem(f"{folder.name}/{path.name}", 1, "", what))
    return found
