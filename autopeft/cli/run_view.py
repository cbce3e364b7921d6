"""A run for people: what won, against what, and where everything lies."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import click

from autopeft.cli.tables import Output, plain_value, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.units import format_bytes, format_count, format_duration

if TYPE_CHECKING:
    from autopeft.api.run import SearchRun

_UNKNOWN = "unknown"


def show_run(run: "SearchRun", output_format: str) -> None:
    """Print the result of a run on stdout."""
    output = cast(Output, output_format)
    result = run.result
    if output == "json":
        print_json(result)
        return
    print_heading("Result", output)
    for line in result["verdict"] or ["There is no winner yet."]:
        print_paragraph(line, output, label="-")
    _print_contenders(result, output)
    best = result["best"]
    if best is not None:
        _print_best(best, output)
    print_heading("Files", output)
    for name, what in (
        ("report.html", "the report"),
        ("best_adapter", "the adapter"),
        ("result.json", "every figure"),
    ):
        if (run.path / name).exists():
            print_paragraph(f"{run.path / name}  ({what})", output)


def _print_contenders(result: Mapping[str, Any], output: Output) -> None:
    metric = result["metric"]["name"]
    rows = [
        [
            f"{one['title']}" + (" · control" if one["role"] == "control" else ""),
            _mean(one),
            str(len(one["runs"])),
            _figure(one["test_metric"], one["test_standard_error"]),
            format_count(one["trainable_parameters"]) if one["trainable_parameters"] else _UNKNOWN,
            format_bytes(one["measured_peak_bytes"]) if one["measured_peak_bytes"] else _UNKNOWN,
        ]
        for one in result["confirmed"]
    ]
    rows += [
        [one["name"], _figure(one["validation_metric"]), "", _figure(one["test_metric"]), "", ""]
        for one in result["baselines"]
    ]
    columns = ["what", f"validation {metric}", "seeds", f"test {metric}", "trainable", "step memory"]
    print_heading("Against what", output)
    print_table(columns, rows, output, numbers=columns[1:])


def _mean(one: Mapping[str, Any]) -> str:
    if one["validation_mean"] is None:
        return "not to full length"
    spread = one["validation_spread"]
    return _figure(one["validation_mean"]) + (f" ± {spread:.3f}" if spread is not None else "")


def _figure(value: float | None, error: float | None = None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ± {error:.3f}" if error is not None else "")


def _print_best(best: Mapping[str, Any], output: Output) -> None:
    print_heading("The winner", output)
    knobs = ", ".join(f"{name} {plain_value(value)}" for name, value in best["hyperparameters"].items())
    print_paragraph(
        f"{best['title']}: {knobs}; seed {best['seed']}; {format_bytes(best['adapter_bytes'])} on disk.",
        output,
    )
    if best["load"]:
        print_heading("Load it", output)
        click.echo("\n".join(f"    {line}" for line in best["load"]))


def show_status(status: Mapping[str, Any], output_format: str) -> None:
    """Print where a run stands."""
    output = cast(Output, output_format)
    if output == "json":
        print_json(status)
        return
    states = ", ".join(f"{count} {state}" for state, count in status["trials"].items()) or "none yet"
    budget = status["budget_seconds"]
    of = f" of {format_duration(budget)}" if budget is not None else ""
    print_paragraph(
        f"{status['status']}: {format_duration(status['spent_seconds'])}{of} spent; trials: {states}.", output
    )
    if status["best"]:
        print_paragraph(f"best so far: {status['best']}", output)
