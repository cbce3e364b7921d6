"""Where the catalogue's YAML files lie: inside the installed package, or beside it in a checkout."""

from importlib.resources import files
from pathlib import Path

from autopeft.errors import CatalogError

FOLDER = "search_spaces"


def search_spaces_root(package: Path | None = None) -> Path:
    """The folder with the catalogue's YAML files.

    A wheel carries it inside the package; an editable install leaves it beside the package, where it
    is always the current one.

    Args:
        package: the folder of the package `autopeft`; by default the one that is imported.

    Raises:
        CatalogError: it is in neither place.
    """
    home = Path(str(files("autopeft"))) if package is None else package
    for candidate in (home / FOLDER, home.parent / FOLDER):
        if candidate.is_dir():
            return candidate
    raise CatalogError(
        f"{FOLDER}/ is missing: neither in {home} nor beside it",
        hint="install autopeft again, the package is incomplete",
    )
