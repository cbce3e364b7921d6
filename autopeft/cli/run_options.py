"""Options that the commands on a finished run share."""

from pathlib import Path

import click

run_argument = click.argument("run", type=click.Path(path_type=Path))
