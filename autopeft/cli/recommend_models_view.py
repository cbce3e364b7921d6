"""How the well-known base models that a budget can fine-tune are printed."""

from typing import cast

import click

from autopeft.api.recommend_models import ModelsForBudget
from autopeft.cli.advice_options import Format
from autopeft.cli.recommend_view import BATCH_NOTE, batch_text, budget_text
from autopeft.cli.tables import Output, print_json, print_note, print_table
from autopeft.domain.units import format_bytes, format_count
from autopeft.errors import UsageError

_NUMBERS = ("size", "needs", "batch", "tokens")


def show_models(found: ModelsForBudget, output: Format) -> None:
    """Print what a budget can fine-tune.

    Raises:
        UsageError: HTML was asked for.
    """
    if output == "html":
        raise UsageError("--format html needs --model", hint="use table, json or markdown for the list of models")
    if output == "json":
        print_json(found.to_dict())
        return
    click.echo(f"What {budget_text(found.budget_bytes)} can fine-tune\n")
    rows = [
        (
            one.model,
            format_count(one.model_parameters),
            one.title if one.fits else "does not fit",
            (one.shape.quantization or one.shape.dtype) if one.fits else "",
            "" if one.needed_bytes is None else format_bytes(one.needed_bytes),
            batch_text(one.shape, quantised=False) if one.fits else "",
            str(one.shape.max_length),
        )
        for one in found.models
    ]
    columns = ("model", "size", "method", "base", "needs", "batch", "tokens")
    print_table(columns, rows, cast(Output, output), numbers=_NUMBERS)
    print_note(f"{BATCH_NOTE} Name one with --model to see every method, with reasons.")
