"""`autopeft dashboard`."""

from contextlib import suppress
from pathlib import Path

import click

from autopeft.cli.run_options import run_argument

EPILOG = """\b
Examples:
  autopeft dashboard runs/20260102-030405
  autopeft dashboard runs/20260102-030405 --port 9000
"""


@click.command(epilog=EPILOG)
@run_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="On this machine alone; 0 takes a free one.",
)
def dashboard(run: Path, port: int) -> None:
    """Open Optuna's dashboard on a run, running or finished, for a browser on this machine.

    Needs the extra `dashboard`. Stop it with Ctrl-C; a running search is not disturbed.
    """
    from autopeft.api.dashboard import dashboard as serve

    def ready(address: str) -> None:
        click.echo(address)
        click.echo("Ctrl-C stops it", err=True)

    with suppress(KeyboardInterrupt):
        serve(run, port=port, ready=ready)
