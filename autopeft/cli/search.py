"""`autopeft search` and `autopeft resume`."""

from pathlib import Path
from typing import Any, get_args

import click

from autopeft.cli.conduct_options import conduct_options, storage_option, workers_option
from autopeft.cli.data_options import DataCommand, data_options
from autopeft.cli.options import catalog_option, run_format_option, split_names
from autopeft.domain.models import Quantization
from autopeft.errors import UsageError

EPILOG = """\b
Examples:
  autopeft search --demo
  autopeft search --model ./my-bert --dataset reviews.csv --budget 30m
  autopeft search --plan plan.yaml --dataset reviews.csv         # plan: recommend --save plan.yaml
  autopeft search --model ./my-llama --dataset notes.txt --task causal-lm --trials 12 --seed 1
"""

# Options that a plan sets where the user does not.
_OF_PLAN = ("gpu_mem", "batch_size", "max_length", "base_precision")

RESUME_EPILOG = """\b
Examples:
  autopeft resume runs/20260102-030405
  autopeft resume runs/20260102-030405 --budget 2h
"""


@click.command(cls=DataCommand, epilog=EPILOG)
@click.option("--demo", is_flag=True, help="The embedded model and data, within four minutes.")
@click.option("--model", metavar="ID_OR_PATH", help="Hub id or folder with safetensors weights.")
@click.option(
    "--dataset",
    metavar="PATH_OR_ID",
    help="CSV, JSONL, Parquet or text file, a folder of split files, or a hub id.",
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Model, task, methods and starting values that `recommend --save FILE` wrote; other options go before it.",
)
@click.option("--task", metavar="TASK", help="See `autopeft tasks`; by default what suits the architecture.")
@click.option(
    "--gpu-mem",
    metavar="SIZE",
    help="Memory that training may use, like 24GB; what does not fit never starts.",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="Wall clock for everything, like 90s or 2h30m; else one hour, or --trials.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Configurations to try at most; alone, the result is repeatable.",
)
@click.option("--methods", metavar="A,B", help="Search over these only; see `autopeft methods`.")
@click.option("--output", type=click.Path(path_type=Path), help="The run directory; by default runs/<time>.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random.")
@data_options
@click.option("--metric", metavar="NAME", help="Chooses the winner, see `autopeft tasks NAME`; else the task's own.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Rows in an optimizer step; else the task's default.")
@click.option("--max-length", type=click.IntRange(min=4), help="Tokens in a row; else from the data.")
@click.option(
    "--full-steps",
    type=click.IntRange(min=1),
    help="Steps of a full-length run; else three epochs, or what the budget allows.",
)
@click.option("--max-train-rows", type=click.IntRange(min=2), help="Cap on training rows.")
@click.option("--max-evaluation-rows", type=click.IntRange(min=2), help="Cap on validation and on test rows each.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Configurations trained to full length.",
)
@click.option(
    "--confirm-seeds",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Seeds on which they are.",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each worker.")
@click.option(
    "--base-precision",
    type=click.Choice(get_args(Quantization)),
    help="Hold the frozen base in 4 or 8 bits; else float32.",
)
@conduct_options
@click.option("--dry-run", is_flag=True, help="Print the plan and what the budget buys; train nothing.")
@catalog_option
@run_format_option
@click.option("--quiet", is_flag=True, help="No progress display.")
def search(
    demo: bool, model: str | None, dataset: str | None, task: str | None, methods: str | None,
    output_format: str, quiet: bool, **asked: Any,
) -> None:  # fmt: skip
    """Search for the best adapter that a budget buys.

    Tries methods and hyperparameters with real short fine-tunes, trains the best to full length on several seeds
    beside plain LoRA, measures the winner once on a test split, and writes adapter and report to a run directory.
    """
    planned = _planned(asked.pop("plan"), asked["base_precision"])
    model, task = model or planned.get("model"), task or planned.get("task")
    if demo and (model or dataset):
        raise UsageError("--demo brings its own model and data", hint="leave --demo out, or --model and --dataset")
    if not demo and not (model and dataset):
        missing = "--dataset" if model else "--model" if dataset else "--model and --dataset"
        raise UsageError(f"search needs {missing}", hint="name a model and a data set, or try `autopeft search --demo`")
    asked |= {
        "model": model or "demo",
        "train": dataset or "demo",
        "task": task,
        "methods": split_names(methods) or planned.get("methods", ()),
        "starts": planned.get("starts"),
        **{name: planned.get(name) for name in _OF_PLAN if asked[name] is None},
        "objectives": split_names(asked["objectives"]) or (),
        "track": split_names(asked["track"]) or (),
    }
    if asked.pop("dry_run"):
        from autopeft.cli.dry_run_view import show_dry_run

        show_dry_run(asked, output_format, quiet=quiet)
        return
    from autopeft.cli.search_run import run_search

    run_search(quiet=quiet, output_format=output_format, **asked)


def _planned(plan: Path | None, base_precision: str | None) -> dict[str, Any]:
    if plan is None:
        return {}
    from autopeft.api.search_plan import options_of_plan

    return options_of_plan(plan, base_precision)


@click.command(epilog=RESUME_EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--budget", metavar="TIME", help="A new wall clock for everything, what was spent included.")
@workers_option
@storage_option
@click.option("--model", metavar="FOLDER", help="Where the base model is now, if it was moved; its files are compared.")
@run_format_option
@click.option("--quiet", is_flag=True, help="No progress display.")
def resume(run: Path, output_format: str, quiet: bool, **asked: Any) -> None:
    """Go on with a search after any stop; a finished one is shown again."""
    from autopeft.cli.search_run import run_resume

    run_resume(run, output_format, quiet=quiet, **asked)
