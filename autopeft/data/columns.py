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
    that the data has, in any case. Optional roles are guessed only when the user named no column at
    all: naming the text column means that it is the whole text.

    Raises:
        UsageError: `given` names a role that the task lacks.
        DataError: a column is missing; the message lists those that there are.
    """
    named = {role: column for role, column in (given or {}).items() if column}
    for role in named:
        if role not in task.columns:
            known = ", ".join(option_name(known) for known in task.columns)
            raise UsageError(f"{option_name(role)} has no meaning for the task {task.id}", hint=f"it takes {known}")
    chosen: dict[str, str] = {}
    guessed: list[str] = []
    for role, names in task.columns.items():
        if role in named:
            chosen[role] = _require(named[role], role, available)
        elif role not in task.optional_columns or not named:
            found = _first_known(names, available, set(named.values()) | set(chosen.values()))
            if found is not None:
                chosen[role] = found
                guessed.append(f"{found!r} as {role}")
            elif role not in task.optional_columns:
                raise _missing(f"no column is known to be the {role}", role, available)
    _refuse_shared(chosen)
    return chosen, (f"columns by their names: {', '.join(guessed)}",) if guessed else ()


def _require(column: str, role: str, available: Sequence[str]) -> str:
    if column not in available:
        raise _missing(f"there is no column {column!r}", role, available)
    return column


def _first_known(names: Sequence[str], available: Sequence[str], taken: set[str]) -> str | None:
    by_lower = {column.strip().lower(): column for column in reversed(available) if column not in taken}
    return next((by_lower[name.lower()] for name in names if name.lower() in by_lower), None)


def _missing(what: str, role: str, available: Sequence[str]) -> DataError:
    shown = ", ".join(repr(column) for column in available[:20])
    more = f" and {len(available) - 20} more" if len(available) > 20 else ""
    return DataError(f"{what}; the data has {shown}{more}", hint=f"name it with {option_name(role)}")


def _refuse_shared(chosen: Mapping[str, str]) -> None:
    for role, column in chosen.items():
        other = next((r for r, c in chosen.items() if c == column and r != role), None)
        if other is not None:
            raise DataError(
                f"the column {column!r} cannot be both {role} and {other}",
                hint=f"name two different columns with {option_name(role)} and {option_name(other)}",
            )
