"""Options that say how a data set is read."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_COLUMN = re.compile(r"--([a-z0-9][a-z0-9-]*)-column(?:=(.*))?", re.DOTALL)
_SPLITS = ("train", "validation", "test")


class DataCommand(click.Command):
    """A command that takes `--ROLE-column NAME` for every role of every task, and is given them as `columns`.

    Which roles there are is known only from the catalogue, which help and parsing should not wait for.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the columns out, then parse what is left."""
        own = {name for parameter in self.params for name in parameter.opts}
        rest, columns = _parted(args, own)
        left = super().parse_args(ctx, rest)
        ctx.params["columns"] = columns
        return left


# Said in the help; what it stands for is taken out of the arguments before they are parsed.
column_option = click.option(
    "--ROLE-column",
    metavar="NAME",
    expose_value=False,
    help="Column for a role of the task, like --text-column or --label-column; see `autopeft tasks`.",
)


def data_options(command: Command) -> Command:
    """What a user may say about columns, splits and rows; for a `DataCommand`."""
    for option in reversed(
        (
            column_option,
            click.option(
                "--split",
                "splits",
                metavar="SPLIT=NAME",
                multiple=True,
                callback=_named_splits,
                help="What the data calls a split, like test=validation_matched; may be repeated.",
            ),
            click.option(
                "--documents",
                type=click.Choice(["auto", "line", "file"]),
                default="auto",
                show_default=True,
                help="What a row of plain text is; auto: a line of one file, a whole file of several.",
            ),
            click.option("--group-column", metavar="NAME", help="Rows with the same value stay in one split."),
            click.option(
                "--max-bad-rows",
                type=click.IntRange(min=0),
                help="Rows that may be left out; else 10 or 1 % that lack a cell, none that is unreadable.",
            ),
            click.option("--allow-overlap", is_flag=True, help="Keep rows that are in two splits, however many."),
            click.option(
                "--class-weights",
                type=click.Choice(["balanced"]),
                help="In training, weigh rows by how rare their class is.",
            ),
            click.option(
                "--prompt-template",
                metavar="TEXT",
                callback=_with_breaks,
                help="What an answer is written after, like 'Question: {source}\\nAnswer:'.",
            ),
        )
    ):
        command = option(command)
    return command


def _parted(args: Sequence[str], own: set[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments without column options, and role -> column."""
    rest: list[str] = []
    columns: dict[str, str] = {}
    waiting = iter(args)
    for argument in waiting:
        found = _COLUMN.fullmatch(argument)
        if found is None or argument.partition("=")[0] in own:
            rest.append(argument)
            continue
        role, value = found[1].replace("-", "_"), found[2] or next(waiting, "")
        if not value:
            raise click.BadOptionUsage(argument, f"option '{argument}' requires a name")
        columns[role] = value
    return rest, columns


def _with_breaks(ctx: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    r"""Shells hand on `\n` as two characters."""
    return None if given is None else given.replace("\\n", "\n").replace("\\t", "\t")


def _named_splits(ctx: click.Context, parameter: click.Parameter, given: Sequence[str]) -> Mapping[str, str]:
    named = {}
    for text in given:
        split, _, name = text.partition("=")
        if split not in _SPLITS or not name:
            raise click.BadParameter(f"{text!r} is not like test=NAME, for {', '.join(_SPLITS)}", ctx, parameter)
        named[split] = name
    return named
