"""`autopeft export`."""

from pathlib import Path

import click

from autopeft.cli.run_options import run_argument

EPILOG = """\b
Examples:
  autopeft export runs/20260102-030405 --format onnx --output onnx/
  autopeft export runs/20260102-030405 --output onnx/ --print json
"""


@click.command(epilog=EPILOG)
@run_argument
@click.option(
    "--format", "runtime", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Of the file."
)
@click.option(
    "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="A new folder for the model."
)
@click.option(
    "--print",
    "output_format",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How to print what was written.",
)
def export(run: Path, runtime: str, output: Path, output_format: str) -> None:
    """Write a run's winner, merged, as a file for another runtime.

    The file is run and compared with the adapter on validation rows; it is kept only if the two differ by no more
    than rounding. Needs the extra `onnx`.
    """
    from autopeft.api.export import export as write
    from autopeft.cli.artifacts_view import show_exported

    show_exported(write(run, output), output_format)
