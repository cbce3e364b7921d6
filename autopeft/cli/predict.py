"""`autopeft predict`."""

from pathlib import Path

import click

from autopeft.cli.data_options import DataCommand, column_option
from autopeft.cli.run_options import run_argument

EPILOG = """\b
Examples:
  autopeft predict runs/20260102-030405 --input new.csv --output answered.csv
  autopeft predict runs/20260102-030405 --input new.jsonl --text-column body
"""


@click.command(cls=DataCommand, epilog=EPILOG)
@run_argument
@click.option(
    "--input",
    "rows",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV, TSV or JSON Lines, also gzipped.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="CSV, TSV or JSON Lines; by default standard output, in the format of --input.",
)
@column_option
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Rows in a forward pass.")
@click.option(
    "--max-new-tokens",
    type=click.IntRange(min=1),
    help="That a language model writes at most; by default as many as the run learned to write, or 64.",
)
def predict(
    run: Path,
    rows: Path,
    output: Path | None,
    batch_size: int,
    max_new_tokens: int | None,
    columns: dict[str, str],
) -> None:
    """Answer the rows of a file with a run's best adapter.

    The rows come out in their order with their columns, and with `prediction` and, for a classification, the
    probability of each label. Words get a list of tags, texts their spans, questions the answer and where it begins,
    choices the number of the best from 0, conversations what the assistant says next. The file is read row by row, so
    it may be larger than memory.
    """
    from autopeft.api.predict import predict as answer

    done = answer(
        run,
        rows,
        output,
        columns=columns,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
    )
    empty = f", {done.without_text} of them without text and so without an answer" if done.without_text else ""
    where = f" -> {done.output}" if done.output else ""
    click.echo(f"{done.rows} rows{empty}{where}", err=True)
