"""Options of `search` that say how it is conducted."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
# Written out, since the lists live in modules that import Optuna; a contract test holds the two against each other.
SCHEDULERS = ("asha", "hyperband", "freeze-thaw")
ENGINES = ("processes", "ray")
SAMPLERS = ("mobster", "tpe", "random", "gp", "cmaes", "qmc", "nsga2")


def workers_option(command: Command) -> Command:
    """`--workers`."""
    return click.option(
        "--workers",
        type=click.IntRange(min=0),
        metavar="N",
        help="Processes that train, a device each; one that crashes or hangs is replaced. 0 trains in this process.",
    )(command)


def storage_option(command: Command) -> Command:
    """`--storage`."""
    return click.option(
        "--storage",
        metavar="URL",
        help="PostgreSQL or MySQL database of a study that several searches share; its password is not kept.",
    )(command)


def _track_option(command: Command) -> Command:
    return click.option(
        "--track", metavar="A,B", help="Tell experiment trackers of every trial: mlflow, tensorboard, wandb."
    )(command)


def conduct_options(command: Command) -> Command:
    """Workers, scheduler, sampler, objectives, and the budgets beside wall clock and trials."""
    for option in reversed(
        (
            workers_option,
            *_places(),
            click.option(
                "--scheduler",
                type=click.Choice(SCHEDULERS),
                default="asha",
                show_default=True,
                help="What decides how far a trial is trained.",
            ),
            click.option(
                "--sampler",
                type=click.Choice(SAMPLERS),
                default="mobster",
                show_default=True,
                help="What proposes configurations.",
            ),
            click.option(
                "--objectives",
                metavar="A,B",
                default="loss",
                show_default=True,
                help="What trials are compared by: loss, memory, size, latency, time.",
            ),
            *_budgets(),
            *_memory(),
            _track_option,
        )
    ):
        command = option(command)
    return command


def _memory() -> tuple[Callable[[Command], Command], ...]:
    """What is known beside what this search finds: by searches at the same time, and by earlier ones."""
    return (
        storage_option,
        click.option("--study", metavar="NAME", help="Of the study in --storage.  [default: autopeft]"),
        click.option(
            "--history/--no-history",
            default=None,
            help="Use what earlier searches on this machine found, and keep what this one finds.  "
            "[default: keep it; use it under a budget of time]",
        ),
    )


def _places() -> tuple[Callable[[Command], Command], ...]:
    """Where the workers are."""
    share = click.FloatRange(min=0, min_open=True)
    return (
        click.option(
            "--gpus",
            type=click.IntRange(min=1),
            metavar="N",
            help="Devices of this machine to train on, a worker each; --gpu-mem is for each of them.",
        ),
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default="processes",
            show_default=True,
            help="What runs the workers; ray needs the extra `ray` and a run directory that all nodes share.",
        ),
        click.option(
            "--ray-address",
            metavar="ADDRESS",
            help="Of the Ray cluster: auto, HOST:PORT, or local to start one here.  [default: auto]",
        ),
        click.option(
            "--gpus-per-trial",
            type=share,
            metavar="N",
            help="GPUs that train each trial together, its model divided over them (FSDP); on Ray also a share of one.",
        ),
    )


def _budgets() -> tuple[Callable[[Command], Command], ...]:
    above_zero = click.FloatRange(min=0, min_open=True)
    return (
        click.option("--device-hours", type=above_zero, metavar="H", help="Budget of the workers' time, summed up."),
        click.option("--tokens", type=click.IntRange(min=1), metavar="N", help="Budget of training tokens."),
        click.option("--money", type=above_zero, metavar="AMOUNT", help="Budget at --price-per-hour."),
        click.option("--price-per-hour", type=above_zero, metavar="AMOUNT", help="Of one worker's device."),
        click.option("--max-disk", metavar="SIZE", help="What the run directory may hold, like 20GB."),
        click.option(
            "--max-trial-time", metavar="TIME", help="The most that one trial may take on one seed, like 10m."
        ),
    )
