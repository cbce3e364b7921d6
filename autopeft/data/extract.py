"""From tables to usable rows: every cell is read once, what is missing is left out and counted."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np

from autopeft.data.bad_rows import BadRows
from autopeft.data.chat import Conversation
from autopeft.data.column import Column
from autopeft.data.origin import Origin, origin_of
from autopeft.data.roles import RoleReader, role_readers
from autopeft.data.rows import Rows
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError


@dataclass(frozen=True, slots=True)
class Table:
    """A split as it was read.

    Attributes:
        data: the rows.
        origin: their places; None for a table in memory.
    """

    data: datasets.Dataset
    origin: Origin | None = None


def extract_rows(
    tables: Mapping[str, Table],
    columns: Mapping[str, str],
    task: TaskSpec,
    bad: BadRows,
    group_column: str | None = None,
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The usable rows of every split, and notes on what was left out.

    A validation or test split in which no row has a label is set aside, as public test sets often come so.

    Args:
        tables: split -> rows.
        columns: role -> column.
        task: what the roles hold.
        bad: counts rows that are left out; may have counted unreadable ones.
        group_column: whose rows of equal value must stay in one split.

    Raises:
        DataError: too many bad rows, no usable row in a split, or a cell that holds the wrong thing.
    """
    splits: dict[str, Rows] = {}
    notes: list[str] = []
    total = bad.count
    hint = "fill the rows in, or name other columns; used now: "
    hint += ", ".join(f"{role} = {column!r}" for role, column in columns.items())
    for split, table in tables.items():
        found = _Extraction.of(split, table, columns, task, bad)
        if split != "train" and found.unanswered == len(table.data):
            notes.append(f"the {split} split has no labels and is not used")
            continue
        total += len(table.data)
        for reason, count in found.missing.items():
            bad.add(reason, count)
        if not len(found.numbers):
            bad.check(total, hint)
            raise DataError(f"no row of the {split} split is usable", hint=hint)
        splits[split] = found.rows(group_column)
        notes += found.notes()
    bad.check(total, hint)
    return splits, (*notes, *bad.note(total))


class _Extraction:
    """One split, read once."""

    def __init__(self, split: str, table: Table, readers: Sequence[RoleReader], origin: Origin) -> None:
        self.split, self.table, self.readers, self.origin = split, table, readers, origin
        self.numbers = array("q")
        self.labels: list[str] | None = [] if any(one.kind == "class" for one in readers) else None
        self.unanswered = self.cut = 0
        self.missing: dict[str, int] = {}
        self._same: dict[str, str] = {}

    @classmethod
    def of(cls, split: str, table: Table, columns: Mapping[str, str], task: TaskSpec, bad: BadRows) -> "_Extraction":
        readers = role_readers(columns, task, table.data.features)
        made = cls(split, table, readers, table.origin or origin_of(split, len(table.data)))
        for number, cells in enumerate(_raw_rows(table.data, readers), 1):
            try:
                values = made._values(number, cells)
            except DataError as error:
                bad.unreadable(error)
                continue
            if values is not None:
                made._keep(number, values)
        return made

    def _values(self, number: int, cells: Sequence[Sequence[Any]]) -> list[Any] | None:
        """The value of every role; None, and counted, where one is missing."""
        values = []
        for reader, own in zip(self.readers, cells, strict=True):
            try:
                value = reader.read(*own)
            except DataError:
                # Again for the place, which costs more than most rows are worth.
                value = reader.read(*own, self.origin.place(number))
            if value is None:
                self.unanswered += reader.answers
                self._miss(reader, number)
                return None
            values.append(value)
        check_together({one.role: value for one, value in zip(self.readers, values, strict=True)}, self, number)
        return values

    def _miss(self, reader: RoleReader, number: int) -> None:
        if not self.missing:
            self._first = f"{self.origin.place(number)}: no {reader.role}"
            self.missing[self._first] = 0
        self.missing[self._first] += 1

    def _keep(self, number: int, values: Sequence[Any]) -> None:
        self.numbers.append(number)
        for reader, value in zip(self.readers, values, strict=True):
            if reader.kind == "class" and self.labels is not None:
                # One object for equal labels, however many rows.
                self.labels.append(self._same.setdefault(value, value))
            elif isinstance(value, Conversation):
                self.cut += value.cut

    def notes(self) -> Iterator[str]:
        if self.cut:
            yield f"{self.split}: {self.cut} messages behind the last answer of their conversation are not used"

    def rows(self, group_column: str | None) -> Rows:
        kept = np.frombuffer(self.numbers, dtype=np.int64) - 1
        data = self.table.data
        asked_first = sorted(self.readers, key=lambda one: one.answers)
        by_role = {one.role: Column(data, one.columns, one.read, kept) for one in asked_first if one.kind != "class"}
        kinds = {one.role: one.kind for one in self.readers}
        return Rows(
            texts={role: column for role, column in by_role.items() if kinds[role] == "text"},
            labels=None if self.labels is None else tuple(self.labels),
            numbers=self.numbers,
            values={role: column for role, column in by_role.items() if kinds[role] != "text"},
            origin=self.origin,
            inputs=tuple(one.role for one in self.readers if one.kind != "text" and not one.answers),
            groups=None if group_column is None else Column(data, (group_column,), _group, kept),
        )


def check_together(values: Mapping[str, Any], extraction: "_Extraction", number: int) -> None:
    """See that the values of a row fit each other.

    Raises:
        DataError: tags that are not one a word, or a span or answer that the text does not have.
    """
    problem = _misfit(values)
    if problem:
        raise DataError(f"{extraction.origin.place(number)}: {problem}", hint="correct the row")


def _misfit(values: Mapping[str, Any]) -> str | None:
    if "tokens" in values and "tags" in values and len(values["tokens"]) != len(values["tags"]):
        return f"{len(values['tags'])} tags for {len(values['tokens'])} words"
    if "spans" in values and "text" in values:
        last = max((span.end for span in values["spans"]), default=0)
        return f"a span ends at {last}, the text at {len(values['text'])}" if last > len(values["text"]) else None
    if "answers" in values and "context" in values:
        absent = [one.text for one in values["answers"] if one.text not in values["context"]]
        return f"the answer {absent[0][:40]!r} does not occur in the context" if absent else None
    return None


def _raw_rows(table: datasets.Dataset, readers: Sequence[RoleReader]) -> Iterator[tuple[tuple[Any, ...], ...]]:
    """For each row, for each reader, the cells that it takes."""
    columns = [Column(table, one.columns, _as_they_are) for one in readers]
    return zip(*columns, strict=True)


def _group(cell: Any) -> str:
    """The group that a cell names; "" where it names none."""
    text = "" if cell is None or cell != cell else str(cell)
    return text if text.strip() else ""


def _as_they_are(*cells: Any) -> tuple[Any, ...]:
    return cells
