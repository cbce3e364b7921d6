"""`autopeft status` and `autopeft report`."""

from pathlib import Path

import click

from autopeft.cli.options import run_format_option
from autopeft.cli.run_view import show_status

STATUS_EPILOG = """\b
Examples:
  autopeft status runs/20260102-030405
  autopeft status runs/20260102-030405 --format json
"""

REPORT_EPILOG = """\b
Examples:
  autopeft report runs/20260102-030405
  autopeft report runs/20260102-030405 --output elsewhere/
"""


@click.command(epilog=STATUS_EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@run_format_option
def status(run: Path, output_format: str) -> None:
    """Say how a search stands, from any terminal; the search is not disturbed."""
    from autopeft.api.status import status as ask

    show_status(ask(run), output_format)


@click.command(epilog=REPORT_EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Where to write it; by default the run directory.")
def report(run: Path, output: Path | None) -> None:
    """Render a run's report again from its result.json."""
    from autopeft.api.status import render_report

    click.echo(str(render_report(run, output)))
