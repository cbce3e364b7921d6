"""A run for people: what won, against what, and where everything lies."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import click

from autopeft.cli.tables import Output, plain_value, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.units import format_bytes, format_count, format_duration

if TYPE_CHECKING:
    from autopeft.api.run import SearchResult

_UNKNOWN = "-"


def show_run(run: "SearchResult", output_format: str) -> None:
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
            print_paragraph(f"{run.path / name}  ({what})", output, label="-" if output == "markdown" else "")


def _print_contenders(result: Mapping[str, Any], output: Output) -> None:
    metric = result["metric"]["name"]
    columns = ["what", f"validation\n{metric}", "seeds", f"test\n{metric}", "trainable", "step\nmemory"]
    rows = [_contender(one, roles) for one, roles in _contenders(result)]
    rows += [
        [one["name"], _figure(one["validation_metric"]), "", _figure(one["test_metric"]), "", ""]
        for one in result["baselines"]
    ]
    print_heading("Against what", output)
    print_table(columns, rows, output, numbers=columns[1:], fold_first=True)


def _contenders(result: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], list[str]]]:
    """What was trained to full length, each once, with the parts it plays."""
    winner = result["best"] and _identity(result["best"])
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for one in result["confirmed"]:
        _, roles = found.setdefault(_identity(one), (one, ["winner"] if _identity(one) == winner else []))
        if one["role"] == "control":
            roles.append("control")
    return list(found.values())


def _identity(one: Mapping[str, Any]) -> str:
    """What tells two configurations apart; a candidate that is also the control is listed under both names."""
    return str(one.get("id") or one["name"])


def _contender(one: Mapping[str, Any], roles: list[str]) -> list[str]:
    return [
        one["title"] + (f" · {', '.join(roles)}" if roles else ""),
        _mean(one),
        str(len(one["runs"])),
        _figure(one["test_metric"], one["test_standard_error"]),
        format_count(one["trainable_parameters"]) if one["trainable_parameters"] else _UNKNOWN,
        format_bytes(one["measured_peak_bytes"]) if one["measured_peak_bytes"] else _UNKNOWN,
    ]


def _mean(one: Mapping[str, Any]) -> str:
    if one["validation_mean"] is None:
        return "cut short" if one["runs"] else "not trained"
    spread = one["validation_spread"]
    return _figure(one["validation_mean"]) + (f" ± {spread:.3f}" if spread is not None else "")


def _figure(value: float | None, error: float | None = None) -> str:
    if value is None:
        return _UNKNOWN
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
        click.echo("\n".join(f"    {line}".rstrip() for line in best["load"]))


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
        best = "best in the search" if status["status"] == "finished" else "best so far"
        print_paragraph(f"{best}: {status['best']}", output)
