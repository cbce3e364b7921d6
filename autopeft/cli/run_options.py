"""Options that the commands on a finished run share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_HOLDS = {
    "text": "the text",
    "text_pair": "the second text of a pair",
    "label": "the label",
    "source": "the input of text-to-text",
    "target": "the output of text-to-text",
    "tokens": "the words, for token classification",
}

run_argument = click.argument("run", type=click.Path(path_type=Path))


def column_options(*roles: str) -> Callable[[Command], Command]:
    """`--text-column` and the like, for the roles named: where a file's columns are called otherwise."""

    def with_options(command: Command) -> Command:
        for role in reversed(roles):
            name = f"--{role.replace('_', '-')}-column"
            command = click.option(name, role, metavar="NAME", help=f"Column with {_HOLDS[role]}.")(command)
        return command

    return with_options


def named_columns(columns: dict[str, str | None]) -> dict[str, str]:
    """Role -> column, of the options that were given."""
    return {role: column for role, column in columns.items() if column}
