"""`autopeft evaluate`."""

from pathlib import Path

import click

from autopeft.cli.data_options import DataCommand, column_option
from autopeft.cli.options import run_format_option
from autopeft.cli.run_options import run_argument

EPILOG = """\b
Examples:
  autopeft evaluate runs/20260102-030405
  autopeft evaluate runs/20260102-030405 --dataset other.csv --format json
"""


@click.command(cls=DataCommand, epilog=EPILOG)
@run_argument
@click.option("--dataset", metavar="PATH_OR_ID", help="Rows with labels; by default the run's own test rows.")
@click.option("--split", metavar="NAME", help="Of --dataset; else test, or the only one.")
@column_option
@run_format_option
def evaluate(run: Path, dataset: str | None, split: str | None, output_format: str, columns: dict[str, str]) -> None:
    """Measure a run's best adapter again, in float32: on its own test rows, or on other data."""
    from autopeft.api.evaluate import evaluate as measure
    from autopeft.cli.artifacts_view import show_evaluated

    show_evaluated(measure(run, dataset, split=split, columns=columns), output_format)
