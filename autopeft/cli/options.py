"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from autopeft.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])


def format_option(command: Command) -> Command:
    """`--format`: how the result is printed; the command is given it as `output`."""
    return _format_option("output")(command)


def run_format_option(command: Command) -> Command:
    """`--format` for commands where `output` is a folder: they are given it as `output_format`."""
    return _format_option("output_format")(command)


def _format_option(destination: str) -> Callable[[Command], Command]:
    choice = click.Choice(["table", "json", "markdown"])
    return click.option(
        "--format", destination, type=choice, default="table", show_default=True, help="How to print it."
    )


def step_options(command: Command) -> Command:
    """The options that shape one training step."""
    for option in reversed(
        (
            click.option(
                "--batch-size",
                type=click.IntRange(min=1),
                help="Sequences in one pass; else the task's, or 1.",
            ),
            click.option(
                "--max-length",
                type=click.IntRange(min=1),
                help="Tokens in a sequence; else the task's default.",
            ),
            click.option(
                "--dtype",
                type=click.Choice(["bfloat16", "float16", "float32"]),
                default="bfloat16",
                show_default=True,
                help="Of the base model's weights.",
            ),
            click.option("--gradient-checkpointing", is_flag=True, help="Recompute activations to save memory."),
            click.option(
                "--num-labels",
                type=click.IntRange(min=1),
                default=2,
                show_default=True,
                help="Classes, for classification.",
            ),
        )
    ):
        command = option(command)
    return command


def split_names(text: str | None) -> list[str] | None:
    """The names in a comma-separated option, or None when it was not given.

    Raises:
        UsageError: it was given without a name.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{text!r} names no method", hint="write names like lora,ia3; see `autopeft methods`")
    return names
