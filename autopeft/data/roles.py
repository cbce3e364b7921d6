"""How the cells of each role are read from a table's columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets

from autopeft.data.cells import read_cell
from autopeft.data.chat import conversation_from
from autopeft.domain.tasks import CellKind, TaskSpec

MESSAGES = "messages"
# The roles that a conversation of one question and one answer is made from.
_PARTS = ("prompt", "completion", "system", "input")


@dataclass(frozen=True, slots=True)
class RoleReader:
    """One role of a task, and how it is read.

    Attributes:
        role: of the task; `messages` for every form of conversation.
        kind: of its cells.
        columns: of the table, in the order that `read` takes their cells.
        read: makes the value from the cells and the row's place; None where it is missing.
        answers: whether it is what a row is answered with, which rows without an answer lack.
    """

    role: str
    kind: CellKind
    columns: tuple[str, ...]
    read: Callable[..., Any]
    answers: bool = False


def role_readers(columns: Mapping[str, str], task: TaskSpec, features: datasets.Features) -> tuple[RoleReader, ...]:
    """A reader for each role; what answers comes first, so that a row without an answer is seen as such.

    Args:
        columns: role -> column.
        task: gives the kinds.
        features: of the table, where classes may be declared.
    """
    readers = [
        _reader(role, task, column, declared_names(features.get(column)))
        for role, column in columns.items()
        if not (_in_parts(columns, task) and role in _PARTS)
    ]
    if _in_parts(columns, task):
        readers.append(_parts_reader(columns))
    return tuple(sorted(readers, key=lambda reader: not reader.answers))


def declared_names(feature: Any) -> Sequence[str] | None:
    """The classes that a column, or the lists in it, declare."""
    for one in (feature, getattr(feature, "feature", None)):
        names = getattr(one, "names", None)
        if names:
            return list(names)
    return None


def _in_parts(columns: Mapping[str, str], task: TaskSpec) -> bool:
    return task.kinds.get(MESSAGES) == "messages" and MESSAGES not in columns


def _reader(role: str, task: TaskSpec, column: str, names: Sequence[str] | None) -> RoleReader:
    kind = task.kind_of(role)

    def read(value: Any, place: str = "") -> Any:
        return read_cell(kind, value, names, place)

    return RoleReader(role, kind, (column,), read, task.answers_with(role))


def reads_plain(columns: Mapping[str, str]) -> bool:
    """Whether prompts are taken as the model should see them: a column called prompt holds such, with nothing beside.

    An instruction is only what is asked.
    """
    given = {role for role in _PARTS if role in columns}
    return "prompt" in columns.get("prompt", "").lower() and given == {"prompt", "completion"}


def _parts_reader(columns: Mapping[str, str]) -> RoleReader:
    given = [role for role in _PARTS if role in columns]
    plain = reads_plain(columns)

    def read(*cells_and_place: Any) -> Any:
        place = str(cells_and_place[len(given)]) if len(cells_and_place) > len(given) else ""
        cells = dict(zip(given, cells_and_place, strict=False))
        prompt, completion, system, extra = (cells.get(role) for role in _PARTS)
        return conversation_from(prompt, completion, system, extra, place, plain=plain)

    return RoleReader(MESSAGES, "messages", tuple(columns[role] for role in given), read)
