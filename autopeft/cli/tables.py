"""Results on stdout: a table that fits the terminal, Markdown, or JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import click

from autopeft.domain.knobs import Value

Output = Literal["table", "json", "markdown"]
Rows = Sequence[Sequence[str]]


def print_json(result: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(
    columns: Sequence[str], rows: Rows, output: Output, *, numbers: Sequence[str] = (), fold_first: bool = False
) -> None:
    """Rows under column headings, as a table for the terminal or as Markdown.

    Args:
        columns: headings; a line break in one keeps its column narrow.
        rows: one text for each column.
        output: `table` or `markdown`.
        numbers: the headings of columns that are aligned to the right.
        fold_first: whether the first column is prose; else it is an id, which people copy, and is never folded.
    """
    if output == "markdown":
        print_markdown_table(columns, rows, numbers)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        right = column in numbers
        whole = right or (index == 0 and not fold_first)
        table.add_column(column, justify="right" if right else "left", no_wrap=whole)
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    Console(highlight=False).print(table)


def print_markdown_table(columns: Sequence[str], rows: Rows, numbers: Sequence[str] = ()) -> None:
    """A GitHub-flavoured Markdown table on stdout."""
    click.echo("| " + " | ".join(column.replace("\n", " ") for column in columns) + " |")
    click.echo("| " + " | ".join("---:" if column in numbers else "---" for column in columns) + " |")
    for row in rows:
        click.echo("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |")


def print_heading(text: str, output: Output) -> None:
    """A heading over a block."""
    click.echo(f"\n## {text}\n" if output == "markdown" else "\n" + click.style(text, bold=True))


def print_paragraph(text: str, output: Output, *, label: str = "") -> None:
    """A paragraph wrapped to the terminal, its label hanging out to the left; in Markdown a list item.

    A label like `3.` numbers the item.
    """
    if output == "markdown":
        item = label.strip() if label.endswith((".", "-")) else f"- {label}"
        click.echo(f"{item} {text}" if label else text)
        return
    indent = " " * (len(label) + 1) if label else ""
    width = min(console_width(), 100)
    click.echo(click.wrap_text(text, width, initial_indent=f"{label} " if label else "", subsequent_indent=indent))


def print_note(text: str) -> None:
    """Commentary on a result: to stderr, after an empty line, wrapped to the terminal."""
    click.echo("\n" + click.wrap_text(text, min(console_width(), 100)), err=True)


def plain_value(value: Value) -> str:
    """A hyperparameter's value for people: four digits, no trailing zeros."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def console_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    from shutil import get_terminal_size

    return get_terminal_size((80, 24)).columns


def _plain(cell: str) -> Any:
    from rich.text import Text

    # Text, not markup: a model's name may hold square brackets.
    return Text(cell)
