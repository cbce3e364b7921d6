"""Which columns of a file hold what the model reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from autopeft.data.columns import option_name
from autopeft.data.templates import PromptForm
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError, UsageError


def input_columns(
    task: TaskSpec, recorded: Mapping[str, str], available: Sequence[str], given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Role -> column, for the roles that the model was trained to read.

    Args:
        task: of the run.
        recorded: role -> column of the training data; its roles are those that are needed.
        available: columns of the file.
        given: role -> column, where the user names it.

    Raises:
        UsageError: `given` names a role that the run did not read.
        DataError: a column is missing.
    """
    named = given or {}
    roles = [role for role in recorded if not task.answers_with(role)]
    strange = next((role for role in named if role not in roles), None)
    if strange is not None:
        takes = ", ".join(option_name(role) for role in roles)
        raise UsageError(f"{option_name(strange)} has no meaning for this run", hint=f"it takes {takes}")
    columns: dict[str, str] = {}
    for role in roles:
        wanted = (named[role],) if role in named else (recorded[role], *task.columns.get(role, ()))
        found = next((name for name in wanted if name in available), None)
        if found is not None:
            columns[role] = found
        elif role in named or not _may_lack(task, role):
            raise _missing(role, wanted[0], available)
    return columns


def _may_lack(task: TaskSpec, role: str) -> bool:
    """Whether rows without it can be read: a conversation may do without system message and input."""
    return task.objective == "chat" and role in task.optional_columns


def _missing(role: str, column: str, available: Sequence[str]) -> DataError:
    listed = ", ".join(repr(name) for name in available[:20])
    return DataError(
        f"there is no column {column!r} for the {role}; the file has {listed}",
        hint=f"name the column with {option_name(role)}",
    )


def texts_of(cells: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, str] | None:
    """Role -> text of one row; None where a text is missing or blank.

    Raises:
        DataError: a cell holds a list or an object.
    """
    texts: dict[str, str] = {}
    for role, column in columns.items():
        value = cells.get(column)
        if isinstance(value, list | dict):
            raise DataError(f"a {role} is a {type(value).__name__}, not text", hint=f"name it with {option_name(role)}")
        if value is None or not str(value).strip():
            return None
        texts[role] = str(value)
    return texts


def written_out(task: TaskSpec, texts: Mapping[str, str]) -> dict[str, str]:
    """The row as the model reads it: one text by the task's template, where it has any; else as it is.

    Args:
        task: of the run.
        texts: role -> text.

    Raises:
        DataError: no template fits the roles.
    """
    return {"source": PromptForm.of(task, texts).fill(texts)} if task.templates else dict(texts)
