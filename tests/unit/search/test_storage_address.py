"""An address of a database is checked, and a password never stands where it would be shown."""

from pathlib import Path

import pytest

from autopeft.errors import UsageError
from autopeft.search.storage import StudyMirror
from autopeft.search.storage_address import parse_address, sqlite_address
from tests.stub_search import METHODS


@pytest.mark.parametrize("option", ["password", "passwd", "sslpassword"])
def test_a_password_among_the_options_is_refused_unrepeated(option: str) -> None:
    with pytest.raises(UsageError, match="before the @") as caught:
        parse_address(f"postgresql://me@host/db?{option}=hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["what?", "run#1", "100%41", "a b&c=d", "käse"])
def test_the_study_of_a_run_lies_in_the_run_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    StudyMirror(folder / "study.db", METHODS).close()
    assert [path.name for path in folder.iterdir()] == ["study.db"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert parse_address(sqlite_address(folder / "study.db")).database == str(folder / "study.db")
