"""Generated page of the tasks: metrics, columns, base models and where each definition comes from."""

from page import page, table

from autopeft.catalog import Catalog
from autopeft.domain.metrics import METRICS
from autopeft.domain.tasks import TaskSpec


def tasks_page(catalog: Catalog) -> str | None:
    """docs/tasks.md: every task of `search_spaces/tasks/`."""
    rows = [
        (f"[{task.id}](#{task.id})", task.title, task.metric, ", ".join(task.architectures))
        for task in catalog.tasks.values()
    ]
    parts = [
        "# Tasks",
        "Each task is one file in `search_spaces/tasks/`. Columns are recognised by the names given here, in upper or"
        " lower case; others are named with `--ROLE-column NAME`. The first metric chooses the winner unless `--metric`"
        " names another of the list.",
        table(("task", "what it is", "metric", "base models"), rows),
    ]
    for task in catalog.tasks.values():
        parts += _section(task)
    return page(parts)


def _section(task: TaskSpec) -> list[str]:
    columns = [
        (role, task.kind_of(role), _needed(task, role), ", ".join(names)) for role, names in task.columns.items()
    ]
    forms = " or ".join(" with ".join(f"`{role}`" for role in form) for form in task.forms)
    others = [spec.name for spec in METRICS.values() if task.objective in spec.objectives and spec.name != task.metric]
    parts = [
        f"## {task.id}",
        f"**{task.title}.** Metrics: {', '.join([f'`{task.metric}`', *others])}. Where nothing else is said, steps are"
        f" of {task.default_batch_size} rows, and a row has {task.default_max_length} tokens at most.",
        table(("role", "holds", "needed", "names that are known"), columns),
    ]
    if forms:
        parts.append(f"A data set needs {forms}.")
    if task.templates:
        parts.append(
            "Written out as text:\n\n" + "\n\n".join(f"```text\n{template}\n```" for template in task.templates)
        )
    told = [f"- {s.ref}{f', {s.where}' if s.where else ''}{f': {s.says}' if s.says else ''}" for s in task.sources]
    return [*parts, *(["Sources:\n\n" + "\n".join(told)] if told else [])]


def _needed(task: TaskSpec, role: str) -> str:
    if role in task.optional_columns:
        return "no"
    return "see below" if task.forms else "yes"
