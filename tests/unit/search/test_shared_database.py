"""A database that is away is waited for; one that refuses is not."""

from pathlib import Path

import pytest

from autopeft.errors import RunError
from autopeft.search.shared_database import Address, Database
from autopeft.search.storage_address import sqlite_address


def test_a_database_that_refuses_is_not_waited_for(tmp_path: Path) -> None:
    slept: list[float] = []
    address = Address(sqlite_address(tmp_path / "study.db"), "study", "member")
    database = Database(address, print, sleep=slept.append)

    def refused() -> None:
        with database.storage.engine.connect() as connection:
            connection.exec_driver_sql("SELECT ?", (1, 2))

    with pytest.raises(RunError, match="cannot be used"):
        database.patiently(refused)
    assert slept == []
