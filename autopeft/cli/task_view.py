"""How tasks are printed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import click

from autopeft.cli.catalog_view import show_sources
from autopeft.cli.tables import Output, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.metrics import metrics_for
from autopeft.domain.tasks import TaskSpec

_KINDS = {
    "text": "text",
    "class": "a class",
    "classes": "a list of labels",
    "number": "a number",
    "tokens": "a list of words",
    "tags": "a list of tags, one a word",
    "spans": "a list of starts, ends and labels",
    "answers": "answers with their starts, as SQuAD has them",
    "choices": "a list of texts",
    "messages": "a list of roles and contents",
}


def show_tasks(tasks: Iterable[TaskSpec], output: Output) -> None:
    """All tasks, one line each."""
    found = list(tasks)
    if output == "json":
        print_json({"tasks": [_plain(task) for task in found]})
        return
    rows = [(task.id, task.metric, ", ".join(task.architectures), ", ".join(_first_columns(task))) for task in found]
    print_table(("task", "metric", "base models", "columns"), rows, output)
    click.echo("\n`autopeft tasks NAME` shows the other metrics and the other names of the columns.", err=True)


def show_task(task: TaskSpec, aliases: Sequence[str], output: Output) -> None:
    """One task: its other names, metrics, columns, how rows are written out, sources."""
    if output == "json":
        print_json(_plain(task))
        return
    click.echo(click.style(task.title, bold=True) + f" ({task.id})\n")
    if aliases:
        print_paragraph(", ".join(aliases), output, label="Also called:")
    print_paragraph(", ".join(task.architectures), output, label="Base models:")
    print_heading("Columns", output)
    rows = [
        (role, _KINDS[task.kind_of(role)], _needed(task, role), ", ".join(names))
        for role, names in task.columns.items()
    ]
    print_table(("what", "holds", "needed", "names that are known"), rows, output)
    for template in task.templates:
        print_paragraph(template, output, label="Written out as:")
    print_heading("Metrics", output)
    metrics = [
        (spec.name + (" *" if spec.name == task.metric else ""), "higher" if spec.maximize else "lower", spec.title)
        for spec in metrics_for(task)
    ]
    print_table(("--metric", "better is", "what it is"), metrics, output)
    click.echo("\n*: the winner is chosen by it unless another one is named.")
    show_sources(task.sources, output)


def _plain(task: TaskSpec) -> dict[str, Any]:
    return asdict(task) | {"metrics": [spec.name for spec in metrics_for(task)]}


def _first_columns(task: TaskSpec) -> list[str]:
    roles = task.forms[0] if task.forms else [role for role in task.columns if role not in task.optional_columns]
    return [task.columns[role][0] for role in roles]


def _needed(task: TaskSpec, role: str) -> str:
    if role in task.optional_columns:
        return "no"
    inside = [form for form in task.forms if role in form]
    if not task.forms or len(inside) == len(task.forms):
        return "yes"
    others = [other for other in min(inside, key=len) if other != role]
    return "with " + ", ".join(others) if others else "alone"
