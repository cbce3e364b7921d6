from typing import Any

import click
import pytest
from click.testing import CliRunner

from autopeft.catalog.load import load_catalog
from autopeft.cli.data_options import DataCommand, data_options
from autopeft.data.columns import option_name


def parsed(*arguments: str) -> tuple[dict[str, Any], str]:
    given: dict[str, Any] = {}

    @click.command(cls=DataCommand)
    @data_options
    def command(**asked: Any) -> None:
        given.update(asked)

    result = CliRunner().invoke(command, list(arguments))
    return given, result.output


def test_every_role_of_every_task_has_its_option() -> None:
    roles = {role for task in load_catalog().tasks.values() for role in task.columns}
    for role in roles:
        assert parsed(option_name(role), "a name")[0]["columns"] == {role: "a name"}
        assert parsed(f"{option_name(role)}=a=b")[0]["columns"] == {role: "a=b"}


def test_the_group_column_is_no_role() -> None:
    given, _ = parsed("--group-column", "user", "--text-column", "body")
    assert given["group_column"] == "user"
    assert given["columns"] == {"text": "body"}


def test_splits_are_named_one_by_one() -> None:
    given, _ = parsed("--split", "train=train_sft", "--split", "test=heldout")
    assert given["splits"] == {"train": "train_sft", "test": "heldout"}


@pytest.mark.parametrize("arguments", [["--split", "heldout"], ["--split", "heldout=x"], ["--text-column"]])
def test_what_names_nothing_is_a_usage_error(arguments: list[str]) -> None:
    given, output = parsed(*arguments)
    assert not given
    assert "Error" in output
