"""Which column of a data set plays which role of the task."""

from collections.abc import Mapping, Sequence

from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError, UsageError


def option_name(role: str) -> str:
    """The command line option that names the column of `role`."""
    return f"--{role.replace('_', '-')}-column"


def choose_columns(
    available: Sequence[str], task: TaskSpec, given: Mapping[str, str] | None = None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Role -> column, and a note on what was guessed.

    A role that the user names takes that column. The others take the first of the task's known names
    that the data has, in any case. Where a task comes in several forms, the first that the data has is
    taken. Optional roles are guessed only when the user named no column at all: naming the text column
    means that it is the whole text.

    Raises:
        UsageError: `given` names a role that the task lacks.
        DataError: a column is missing; the message lists those that there are.
    """
    named = {role: column for role, column in (given or {}).items() if column}
    for role, column in named.items():
        if role not in task.columns:
            known = ", ".join(option_name(known) for known in task.columns)
            raise UsageError(f"{option_name(role)} has no meaning for the task {task.id}", hint=f"it takes {known}")
        if column not in available:
            raise _missing(f"there is no column {column!r}", option_name(role), available)
    chosen = _by_form(available, task, named)
    _refuse_shared(chosen)
    guessed = [f"{column!r} as {role}" for role, column in chosen.items() if role not in named]
    return chosen, (f"columns by their names: {', '.join(guessed)}",) if guessed else ()


def _by_form(available: Sequence[str], task: TaskSpec, named: Mapping[str, str]) -> dict[str, str]:
    fitting = [form for form in _forms(task) if set(named) <= {*form, *task.optional_columns}]
    for form in fitting:
        chosen = _filled(available, task, named, form)
        if set(form) <= set(chosen):
            return chosen
    if not fitting:
        together = ", ".join(option_name(role) for role in named)
        forms = "; or ".join(", ".join(option_name(role) for role in form) for form in _forms(task))
        raise UsageError(f"{together} do not go together for the task {task.id}", hint=f"it takes {forms}")
    closest = max(fitting, key=lambda form: len(set(form) & set(_filled(available, task, named, form))))
    absent = [role for role in closest if role not in _filled(available, task, named, closest)]
    options = " and ".join(option_name(role) for role in absent)
    raise _missing(f"no column is known to be the {absent[0]}", options, available)


def _forms(task: TaskSpec) -> tuple[tuple[str, ...], ...]:
    return task.forms or (tuple(role for role in task.columns if role not in task.optional_columns),)


def _filled(available: Sequence[str], task: TaskSpec, named: Mapping[str, str], form: Sequence[str]) -> dict[str, str]:
    """Role -> column for what can be found of a form; roles in the task's order."""
    chosen: dict[str, str] = {}
    for role, names in task.columns.items():
        if role in named:
            chosen[role] = named[role]
        elif role in form or (role in task.optional_columns and not named):
            found = _first_known(names, available, {*named.values(), *chosen.values()})
            if found is not None:
                chosen[role] = found
    return chosen


def _first_known(names: Sequence[str], available: Sequence[str], taken: set[str]) -> str | None:
    by_lower = {column.strip().lower(): column for column in reversed(available) if column not in taken}
    return next((by_lower[name.lower()] for name in names if name.lower() in by_lower), None)


def _missing(what: str, options: str, available: Sequence[str]) -> DataError:
    shown = ", ".join(repr(column[:60]) for column in available[:20])
    more = f" and {len(available) - 20} more" if len(available) > 20 else ""
    return DataError(f"{what}; the data has {shown}{more}", hint=f"name it with {options}")


def _refuse_shared(chosen: Mapping[str, str]) -> None:
    for role, column in chosen.items():
        other = next((r for r, c in chosen.items() if c == column and r != role), None)
        if other is not None:
            raise DataError(
                f"the column {column!r} cannot be both {role} and {other}",
                hint=f"name two different columns with {option_name(role)} and {option_name(other)}",
            )
