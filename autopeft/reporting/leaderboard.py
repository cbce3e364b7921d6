"""Facts -> `leaderboard.csv`: one row for each trial, full digits, units in the column names."""

import csv
import io

from autopeft.reporting.facts import Report
from autopeft.reporting.trials import TrialRow

_FORMULA = ("=", "+", "-", "@", "\t")


def render_leaderboard(report: Report) -> str:
    """The table as CSV text; each hyperparameter has a column `set_<name>`, unknown values are empty."""
    knobs = sorted({name for row in report.leaderboard for name, _ in row.hyperparameters})
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*_fixed(None), *(f"set_{name}" for name in knobs)])
    for row in report.leaderboard:
        values = dict(row.hyperparameters)
        writer.writerow(map(_cell, [*_fixed(row).values(), *(values.get(name) for name in knobs)]))
    return written.getvalue()


def _fixed(row: TrialRow | None) -> dict[str, object]:
    """Column -> value; the columns alone for None."""
    columns = {
        "rank": "rank",
        "trial": "number",
        "state": "state",
        "method": "method",
        "title": "title",
        "origin": "origin",
        "steps": "steps",
        "validation_loss": "loss",
        "validation_loss_standard_error": "standard_error",
        "validation_metric": "metric",
        "trainable_parameters": "trainable_parameters",
        "predicted_peak_bytes": "predicted_peak_bytes",
        "measured_peak_bytes": "measured_peak_bytes",
        "seconds": "seconds",
        "confirmed": "confirmed",
        "error": "error",
    }
    return {column: getattr(row, field, None) for column, field in columns.items()}


def _cell(value: object) -> object:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
