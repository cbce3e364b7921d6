"""Runs side by side, for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from autopeft.cli.tables import Output, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.units import format_bytes, format_count, format_duration

if TYPE_CHECKING:
    from autopeft.api.compare import Compared, Difference, RunFigures

_UNKNOWN = "-"
# Beside the names of the rows, on a terminal of 80 columns.
_MOST_COLUMNS = 2
# Of the rows, those that say what was found; the others say what was asked.
_FIGURES = 5


def show_compared(compared: "Compared", output_format: str) -> None:
    """One column a run, or one row a run where there are many; then a sentence for each difference."""
    output = cast(Output, output_format)
    if output == "json":
        print_json(compared.to_dict())
        return
    runs = compared.runs
    names = _short_names([run.run for run in runs])
    rows = _rows(runs)
    if len(runs) <= _MOST_COLUMNS:
        print_table(["", *names], [[what, *cells] for what, cells in rows], output, fold_first=True)
    else:
        for part in (rows[:_FIGURES], rows[_FIGURES:]):
            whats, columns = zip(*part, strict=True)
            print_table(["run", *whats], list(zip(names, *columns, strict=True)), output, fold_first=True)
    print_heading(f"Against {names[0]}", output)
    for name, difference, run in zip(names[1:], compared.differences, runs[1:], strict=True):
        print_paragraph(_sentence(name, difference, run.metric), output, label="-")


def _rows(runs: Sequence["RunFigures"]) -> list[tuple[str, list[str]]]:
    return [
        ("winner", [run.method for run in runs]),
        ("test", [f"{run.test_metric:.3f} ± {run.test_standard_error:.3f}" for run in runs]),
        ("validation", [_UNKNOWN if run.validation_mean is None else f"{run.validation_mean:.3f}" for run in runs]),
        (
            "trainable",
            [format_count(run.trainable_parameters) if run.trainable_parameters else _UNKNOWN for run in runs],
        ),
        (
            "step memory",
            [format_bytes(run.measured_peak_bytes) if run.measured_peak_bytes else _UNKNOWN for run in runs],
        ),
        ("metric", [run.metric for run in runs]),
        (
            "search",
            [f"{run.trials} trial{'s' * (run.trials != 1)}, {format_duration(run.spent_seconds)}" for run in runs],
        ),
        ("model", [Path(run.model).name for run in runs]),
        ("data", [Path(run.dataset).name for run in runs]),
        ("task", [run.task for run in runs]),
    ]


def _sentence(name: str, found: "Difference", metric: str) -> str:
    if found.difference is None or found.half_width is None:
        return f"{name}: not comparable: {found.note}."
    word = "a tie" if found.tie else "better" if found.difference > 0 else "worse"
    how = "paired over the same test rows" if found.paired else f"not paired: {found.note}"
    interval = f"{found.difference:+.3f} ± {found.half_width:.3f} {metric}, above 0 is better, 95 % interval"
    return f"{name}: {word} ({interval}; {how})."


def _short_names(runs: Sequence[str]) -> list[str]:
    """The last part of each path, where those tell the runs apart; else the whole."""
    short = [Path(run).name for run in runs]
    return short if len(set(short)) == len(short) else list(runs)
