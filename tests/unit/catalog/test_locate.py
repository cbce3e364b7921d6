from pathlib import Path

import pytest

from autopeft.catalog.locate import search_spaces_root
from autopeft.errors import CatalogError


def package(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages" / "autopeft"
    folder.mkdir(parents=True)
    return folder


def test_a_wheel_carries_the_data_inside_the_package(tmp_path: Path) -> None:
    home = package(tmp_path)
    (home / "search_spaces").mkdir()
    (home.parent / "search_spaces").mkdir()  # someone else's: the package's own comes first
    assert search_spaces_root(home) == home / "search_spaces"


def test_an_editable_install_has_it_beside_the_package(tmp_path: Path) -> None:
    home = package(tmp_path)
    (home.parent / "search_spaces").mkdir()
    assert search_spaces_root(home) == home.parent / "search_spaces"


def test_neither_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    home = package(tmp_path)
    with pytest.raises(CatalogError, match=r"search_spaces/ is missing") as caught:
        search_spaces_root(home)
    assert str(home) in caught.value.message


def test_the_imported_package_has_its_data() -> None:
    assert (search_spaces_root() / "methods" / "lora.yaml").is_file()
