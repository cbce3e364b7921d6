"""First paragraphs of the standard library's docstrings, labelled with the area that a module belongs to.

The files are parsed, never imported. What is where: `search_spaces/demo/stdlib_areas.yaml`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autopeft.catalog.locate import search_spaces_root
from autopeft.catalog.problems import BrokenFileError
from autopeft.catalog.source_file import read_source_file
from autopeft.errors import CatalogError

AREAS_FILE = "demo/stdlib_areas.yaml"
LEAST_WORDS = 3
_SKIPPED = {"test", "tests", "idle_test", "idlelib", "lib2to3", "site-packages", "__pycache__"}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Docstring:
    """A first paragraph.

    Attributes:
        text: on one line.
        area: its label.
        file: below the library's root.
    """

    text: str
    area: str
    file: str


def read_areas(root: Path | None = None) -> dict[str, str]:
    """File or folder of the standard library -> area.

    Raises:
        CatalogError: the file is missing or broken, or names a module twice.
    """
    path = (root or search_spaces_root()) / AREAS_FILE
    try:
        values = read_source_file(path, AREAS_FILE).values
    except BrokenFileError as error:
        raise CatalogError(str(error)) from None
    area_of: dict[str, str] = {}
    listed = values.get("areas") if isinstance(values, dict) else None
    if not isinstance(listed, dict) or not all(isinstance(names, list) for names in listed.values()):
        raise CatalogError(f"{AREAS_FILE}: `areas` must give a list of modules for each area")
    for area, names in listed.items():
        for name in names:
            if name in area_of:
                raise CatalogError(f"{AREAS_FILE}: {name} belongs to both {area_of[name]} and {area}")
            area_of[name] = area
    return area_of


def collect_docstrings(library: Path) -> list[Docstring]:
    """First paragraphs of at least three words, each text once.

    A text that occurs in two areas has no clear label and is left out; one that occurs in several files
    of an area counts for the first.
    """
    found: dict[str, Docstring] = {}
    unclear: set[str] = set()
    for name, area in sorted(read_areas().items()):
        for file in _files(library, name):
            shown = file.relative_to(library).as_posix()
            for text in _first_paragraphs(file):
                first = found.setdefault(text, Docstring(text, area, shown))
                if first.area != area:
                    unclear.add(text)
    return [row for text, row in found.items() if text not in unclear]


def _files(library: Path, name: str) -> list[Path]:
    place = library / name
    candidates = sorted(place.rglob("*.py")) if place.is_dir() else [place] if place.is_file() else []
    return [file for file in candidates if not _SKIPPED & set(file.relative_to(library).parts)]


def _first_paragraphs(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return  # deliberately broken samples, or a file without read rights
    for node in _documented_nodes(tree):
        words = (ast.get_docstring(node) or "").strip().split("\n\n")[0].split()
        if len(words) >= LEAST_WORDS:
            yield " ".join(words)


def _documented_nodes(tree: ast.Module) -> Iterator[_DOCUMENTED]:
    """The module and its classes and functions; expressions, most of a tree, are not walked."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _DOCUMENTED):
            yield node
        for part in ("body", "orelse", "finalbody", "handlers"):
            children = getattr(node, part, None)
            if isinstance(children, list):
                waiting += children
