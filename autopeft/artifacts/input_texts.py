"""Which columns of a file hold what the model reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from autopeft.data.columns import option_name
from autopeft.data.templates import filled
from autopeft.domain.tasks import PLACEHOLDER, TaskSpec
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
    roles = [role for role in recorded if not task.answers_with(role)]
    strange = next((role for role in given or {} if role not in roles), None)
    if strange is not None:
        takes = ", ".join(option_name(role) for role in roles)
        raise UsageError(f"{option_name(strange)} has no meaning for this run", hint=f"it takes {takes}")
    return {role: _column(role, task, recorded[role], available, (given or {}).get(role)) for role in roles}


def _column(role: str, task: TaskSpec, recorded: str, available: Sequence[str], given: str | None) -> str:
    wanted = (given,) if given else (recorded, *task.columns.get(role, ()))
    found = next((name for name in wanted if name in available), None)
    if found is None:
        listed = ", ".join(repr(name) for name in available[:20])
        raise DataError(
            f"there is no column {wanted[0]!r} for the {role}; the file has {listed}",
            hint=f"name the column with {option_name(role)}",
        )
    return found


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
    if not task.templates:
        return dict(texts)
    template = next((one for one in task.templates if set(PLACEHOLDER.findall(one)) <= texts.keys()), None)
    if template is None:
        raise DataError(
            f"no template of {task.id} fits {', '.join(texts)}", hint="give the columns that the run was trained on"
        )
    return {"source": filled(template, texts)}
