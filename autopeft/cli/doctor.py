"""`autopeft doctor`."""

import click

from autopeft.cli.options import run_format_option

EPILOG = """\b
Examples:
  autopeft doctor
  autopeft doctor --format json
"""


@click.command(epilog=EPILOG)
@run_format_option
def doctor(output_format: str) -> None:
    """Say what this machine has, what works on it and what to install for the rest.

    Nothing is asked of the network, and no token is shown.
    """
    from autopeft.api.doctor import doctor as look_around
    from autopeft.cli.doctor_view import show_diagnosis

    show_diagnosis(look_around(), output_format)
