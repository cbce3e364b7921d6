"""`autopeft compare`."""

from pathlib import Path

import click

from autopeft.cli.options import run_format_option

EPILOG = """\b
Examples:
  autopeft compare runs/20260102-030405 runs/20260103-101112
  autopeft compare runs/* --format markdown
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN...")
@run_format_option
def compare(runs: tuple[Path, ...], output_format: str) -> None:
    """Show finished runs side by side, each against the first.

    Runs that were tested on the same rows are compared row by row.
    """
    from autopeft.api.compare import compare as hold_against
    from autopeft.cli.compare_view import show_compared

    show_compared(hold_against(runs), output_format)
