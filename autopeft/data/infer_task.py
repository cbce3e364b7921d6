"""Which task a data set is for, by its columns and its first rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import datasets

from autopeft.data.columns import choose_columns
from autopeft.data.roles import RoleReader, role_readers
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import AutopeftError, DataError

# Of the first rows; the rest may be spoiled.
_LEAST_READABLE = 0.9
_ROWS_TO_JUDGE = 20


@dataclass(frozen=True, slots=True)
class Guess:
    """A task, and what speaks for it.

    Attributes:
        task: id.
        columns: role -> column.
    """

    task: str
    columns: Mapping[str, str]

    @property
    def note(self) -> str:
        """The guess, said."""
        named = ", ".join(repr(column) for column in self.columns.values())
        return f"task: {self.task}, guessed from the columns {named}; --task names another"


def guess_task(
    rows: datasets.Dataset, tasks: Iterable[TaskSpec], default: str, columns: Mapping[str, str] | None = None
) -> Guess | None:
    """The task that explains most columns of the data; None where none fits.

    Of tasks that explain as many, the default comes first, then the one with more required roles, then one that
    does not write its input out, then the one whose best known names the columns have.

    Args:
        rows: the first of the data set.
        tasks: those that the model can do.
        default: id of what suits the model where nothing speaks against it.
        columns: role -> column, where the user names it.
    """
    fitting = []
    for task in tasks:
        chosen = _fit(rows, task, columns)
        if chosen is not None:
            fitting.append((_rank(task, chosen, default), Guess(task.id, chosen)))
    return min(fitting, key=lambda one: one[0])[1] if fitting else None


def _rank(task: TaskSpec, chosen: Mapping[str, str], default: str) -> tuple[Any, ...]:
    required = sum(role not in task.optional_columns for role in chosen)
    names = {role: [name.lower() for name in task.columns[role]] for role in chosen}
    places = [
        names[role].index(column.strip().lower()) if column.strip().lower() in names[role] else 0
        for role, column in chosen.items()
    ]
    return (-len(chosen), task.id != default, -required, bool(task.templates), sum(places), task.id)


def _fit(rows: datasets.Dataset, task: TaskSpec, columns: Mapping[str, str] | None) -> Mapping[str, str] | None:
    try:
        chosen, _ = choose_columns(rows.column_names, task, columns)
    except AutopeftError:
        return None
    readers = role_readers(chosen, task, rows.features)
    return chosen if all(_holds(rows, reader) for reader in readers) else None


def _holds(rows: datasets.Dataset, reader: RoleReader) -> bool:
    """Whether nearly all cells can be read as what the role needs."""
    cells = list(zip(*(rows[name][:] for name in reader.columns), strict=True))
    values = [value for cell in cells if (value := _read(reader, cell)) is not None]
    if len(values) < max(1, _LEAST_READABLE * sum(any(part is not None for part in cell) for cell in cells)):
        return False
    if reader.kind == "number":
        # Whole numbers alone are sooner classes.
        return any(not value.is_integer() for value in values)
    if reader.kind != "class":
        return True
    distinct = set(values)
    fractions = any(_is_fraction(value) for value in distinct)
    return not fractions and (len(values) < _ROWS_TO_JUDGE or len(distinct) <= len(values) / 2)


def _read(reader: RoleReader, cells: tuple[Any, ...]) -> Any:
    try:
        return reader.read(*cells)
    except DataError:
        return None


def _is_fraction(label: str) -> bool:
    try:
        return not float(label).is_integer()
    except (ValueError, OverflowError):
        return False
