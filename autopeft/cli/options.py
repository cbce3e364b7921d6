"""Options that several commands share."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

import click

from autopeft.domain.memory import Attention, OptimizerName, Sharding, Upcast
from autopeft.domain.models import Quantization
from autopeft.errors import UsageError

MEMORY_OPTIONS = ("quantization", "upcast", "optimizer", "accumulation", "attention", "gpus", "sharding")
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


def catalog_option(command: Command) -> Command:
    """`--catalog`: a folder of the user's own YAML beside the shipped catalogue."""
    return click.option(
        "--catalog",
        type=click.Path(),
        metavar="DIR",
        help="Own methods/, rules/, tasks/, ... in YAML, beside the shipped ones.",
    )(command)


def step_options(command: Command) -> Command:
    """The options that shape one training step."""
    for option in reversed(
        (
            click.option(
                "--batch-size",
                type=click.IntRange(min=1),
                help="Sequences in one step; else the task's.",
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
            *_memory_options(),
        )
    ):
        command = option(command)
    return command


def hardware_options(command: Command) -> Command:
    """What the step runs on, and what that costs."""
    for option in (
        click.option(
            "--price-per-hour",
            type=click.FloatRange(min=0),
            metavar="AMOUNT",
            help="Of the device named by --gpu, for the cost of the training.",
        ),
        click.option(
            "--gpu",
            metavar="NAME",
            help="A device of the table, like L40S: its speed, and its memory where --gpu-mem is not given.",
        ),
    ):
        command = option(command)
    return command


def _memory_options() -> tuple[Callable[[Command], Command], ...]:
    """The options of a step that only change its memory."""
    return (
        _choice("--quantization", get_args(Quantization), None, "Of the frozen base, as bitsandbytes does it."),
        _choice("--upcast-unquantized", get_args(Upcast), "none", "What of the rest goes to float32.", "upcast"),
        _choice("--optimizer", get_args(OptimizerName), "adamw", "Those with 8bit or paged are bitsandbytes'."),
        click.option(
            "--accumulation",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Forward passes in one optimizer step.",
        ),
        _choice("--attention", get_args(Attention), "sdpa", "How attention is computed."),
        click.option(
            "--gpus", type=click.IntRange(min=1), default=1, show_default=True, help="Devices that train together."
        ),
        _choice("--sharding", get_args(Sharding), "ddp", "How several share the model: not at all (ddp), or fsdp."),
    )


def _choice(
    name: str, values: Sequence[str], default: str | None, text: str, destination: str | None = None
) -> Callable[[Command], Command]:
    names = (name,) if destination is None else (name, destination)
    return click.option(*names, type=click.Choice(values), default=default, show_default=default is not None, help=text)


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
