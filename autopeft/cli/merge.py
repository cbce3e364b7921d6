"""`autopeft merge`."""

from pathlib import Path

import click

from autopeft.cli.options import run_format_option
from autopeft.cli.run_options import run_argument

EPILOG = """\b
Examples:
  autopeft merge runs/20260102-030405 --output merged/
  autopeft merge runs/20260102-030405 --output merged/ --format json
"""


@click.command(epilog=EPILOG)
@run_argument
@click.option(
    "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="A new folder for the model."
)
@run_format_option
def merge(run: Path, output: Path, output_format: str) -> None:
    """Write a run's winner as a plain model, which transformers loads without peft.

    The merged model is read back and compared with the unmerged adapter on validation rows; it is kept only if the
    two differ by no more than rounding. A method that has no equal weight is refused with the reason.
    """
    from autopeft.api.merge import merge as work_in
    from autopeft.cli.artifacts_view import show_merged

    show_merged(work_in(run, output), output_format)
