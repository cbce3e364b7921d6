"""Rows written out as one text: what is asked, and what should be answered."""

from collections.abc import Mapping, Sequence

from autopeft.data.rows import Rows
from autopeft.domain.tasks import LABEL_ROLE, PLACEHOLDER, TaskSpec
from autopeft.errors import CatalogError

# Between what a decoder reads and what it writes.
PROMPT_END = "\n"
_SOURCE, _TARGET = "source", "target"


def sources(task: TaskSpec, rows: Rows) -> Sequence[str]:
    """The text that each row's answer is written after.

    Raises:
        CatalogError: no template of the task fits the roles that the rows have.
    """
    if not task.templates:
        return rows.texts[_SOURCE]
    template = next((one for one in task.templates if _roles(one) <= rows.texts.keys()), None)
    if template is None:
        had = ", ".join(rows.texts)
        raise CatalogError(f"no template of {task.id} fits {had}", hint=f"mend search_spaces/tasks/{task.id}.yaml")
    columns = {role: rows.texts[role] for role in _roles(template)}
    return [filled(template, dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)]


def targets(task: TaskSpec, rows: Rows) -> Sequence[str]:
    """The text that should be written; of a classification the word for its label."""
    if _TARGET in rows.texts:
        return rows.texts[_TARGET]
    labels = rows.labels if rows.labels is not None else rows.texts[LABEL_ROLE]
    return [task.answer_words.get(label, label) for label in labels]


def filled(template: str, cells: Mapping[str, str]) -> str:
    """The template with each role in braces replaced by its text; texts are not read as templates themselves."""
    return PLACEHOLDER.sub(lambda found: cells[found.group(1)], template)


def _roles(template: str) -> set[str]:
    return set(PLACEHOLDER.findall(template))
