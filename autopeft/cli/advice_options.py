"""Options of `recommend`: what is known, what counts, what is required, and how the answer comes out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

Format = Literal["table", "json", "markdown", "html"]
Command = TypeVar("Command", bound=Callable[..., Any])


def advice_options(command: Command) -> Command:
    """What the advice depends on beside model, memory and step."""
    for option in reversed((*_known(), *_wanted())):
        command = option(command)
    return command


def output_options(command: Command) -> Command:
    """How the answer comes out, and what is written."""
    for option in reversed(
        (
            click.option("--all", "every", is_flag=True, help="Show every method that fits, not the first ones only."),
            click.option("--explain", "taken_apart", is_flag=True, help="Take every score apart, term by term."),
            click.option(
                "--save",
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE",
                help="Write the candidates as a plan for `autopeft search --plan FILE`.",
            ),
            click.option(
                "--export",
                type=click.Path(path_type=Path, file_okay=False),
                metavar="DIR",
                help="Write adapter_config.json and a plain training script for the first candidate.",
            ),
            click.option(
                "--format",
                "output",
                type=click.Choice(["table", "json", "markdown", "html"]),
                default="table",
                show_default=True,
                help="How to print it.",
            ),
        )
    ):
        command = option(command)
    return command


def _known() -> tuple[Callable[[Command], Command], ...]:
    return (
        click.option(
            "--dataset", metavar="PATH_OR_ID", help="Its rows, balance, lengths and contradictions feed the rules."
        ),
        click.option(
            "--rows", "training_rows", type=click.IntRange(min=1), help="Training rows, where no data set is given."
        ),
        click.option(
            "--epochs",
            type=click.FloatRange(min=0, min_open=True),
            default=3,
            show_default=True,
            help="Passes over them.",
        ),
        click.option(
            "--trials",
            type=click.IntRange(min=1),
            help="Configurations that you will try; else the start values only.",
        ),
        click.option(
            "--budget", metavar="TIME", help="For all trials, like 2h: with --gpu and rows it says how many they are."
        ),
        click.option(
            "--learning-rate",
            type=click.FloatRange(min=0, max=1, min_open=True),
            help="The only one that will be tried; else each method's own.",
        ),
    )


def _wanted() -> tuple[Callable[[Command], Command], ...]:
    return (
        click.option(
            "--objective",
            metavar="WHAT",
            help="What counts most: quality, memory, speed, size, or weights like quality=2,memory=1.",
        ),
        click.option(
            "--require",
            multiple=True,
            metavar="A,B",
            help="mergeable, zero-inference-overhead, quantized-base-ok, max-adapter-mb=8, max-latency-overhead=0.1.",
        ),
        click.option(
            "--adapters-to-serve",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Adapters that will be served over one base model.",
        ),
        click.option("--keep-precision", is_flag=True, help="Never quantise a base to 4 bits to make a method fit."),
    )
