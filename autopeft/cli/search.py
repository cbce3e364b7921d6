"""`autopeft search` and `autopeft resume`."""

from pathlib import Path
from typing import Any

import click

from autopeft.cli.options import run_format_option, split_names
from autopeft.errors import UsageError

EPILOG = """\b
Examples:
  autopeft search --demo
  autopeft search --model ./my-bert --dataset reviews.csv --budget 30m
  autopeft search --model ./my-llama --dataset notes.txt --task causal-lm --trials 12 --seed 1
"""

RESUME_EPILOG = """\b
Examples:
  autopeft resume runs/20260102-030405
  autopeft resume runs/20260102-030405 --budget 2h
"""

_COLUMNS = ("text", "text_pair", "label", "source", "target")


@click.command(epilog=EPILOG)
@click.option("--demo", is_flag=True, help="The embedded model and data, within four minutes.")
@click.option("--model", metavar="ID_OR_PATH", help="Hub id or folder with safetensors weights.")
@click.option(
    "--dataset",
    metavar="PATH_OR_ID",
    help="CSV, JSONL, Parquet or text file, a folder of split files, or a hub id.",
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
@click.option("--text-column", "text", metavar="NAME", help="Column with the text.")
@click.option("--text-pair-column", "text_pair", metavar="NAME", help="Column with the second text of a pair.")
@click.option("--label-column", "label", metavar="NAME", help="Column with the label.")
@click.option("--source-column", "source", metavar="NAME", help="Column with the input of text-to-text.")
@click.option("--target-column", "target", metavar="NAME", help="Column with the output of text-to-text.")
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
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
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
    if demo and (model or dataset):
        raise UsageError("--demo brings its own model and data", hint="leave --demo out, or --model and --dataset")
    if not demo and not (model and dataset):
        missing = "--dataset" if model else "--model" if dataset else "--model and --dataset"
        raise UsageError(f"search needs {missing}", hint="name a model and a data set, or try `autopeft search --demo`")
    from autopeft.cli.search_run import run_search

    columns = {role: asked.pop(role) for role in _COLUMNS}
    run_search(
        quiet=quiet,
        output_format=output_format,
        model=model or "demo",
        train=dataset or "demo",
        task=task,
        methods=split_names(methods) or (),
        columns={role: name for role, name in columns.items() if name},
        **asked,
    )


@click.command(epilog=RESUME_EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--budget", metavar="TIME", help="A new wall clock for everything, what was spent included.")
@run_format_option
@click.option("--quiet", is_flag=True, help="No progress display.")
def resume(run: Path, budget: str | None, output_format: str, quiet: bool) -> None:
    """Go on with a search after any stop; a finished one is shown again."""
    from autopeft.cli.search_run import run_resume

    run_resume(run, budget, output_format, quiet=quiet)
