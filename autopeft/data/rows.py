"""Rows of a split as plain text and labels, with the missing ones dropped and counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autopeft.data.labels import LABEL, label_text
from autopeft.errors import DataError

# A stray bad row is normal; more than this says that the file or the column is the wrong one.
BAD_ROW_SHARE = 0.01
BAD_ROWS = 10


@dataclass(frozen=True, slots=True)
class Rows:
    """The usable rows of one split.

    Attributes:
        texts: role (`text`, `text_pair`, `source`, `target`) -> one text a row.
        labels: one label a row, as text; None where the task has none.
        numbers: of the rows in the source, counted from 1.
    """

    texts: Mapping[str, tuple[str, ...]]
    labels: tuple[str, ...] | None
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def select(self, indices: Iterable[int]) -> "Rows":
        """The rows at `indices` (from 0), in that order."""
        chosen = [int(index) for index in indices]
        return Rows(
            texts={role: tuple(column[i] for i in chosen) for role, column in self.texts.items()},
            labels=None if self.labels is None else tuple(self.labels[i] for i in chosen),
            numbers=tuple(self.numbers[i] for i in chosen),
        )

    def identities(self) -> list[tuple[str, ...]]:
        """What makes a row the same as another: its input texts, stripped; a `target` does not count."""
        columns = [column for role, column in self.texts.items() if role != "target"]
        return [tuple(text.strip() for text in row) for row in zip(*columns, strict=True)]


def extract_rows(
    tables: Mapping[str, Any], columns: Mapping[str, str], *, max_bad_rows: int | None = None
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The usable rows of every split.

    Rows with a missing text or label are dropped and counted in a note. A validation or test split in
    which no row has a label is set aside with a note, as public test sets often come so.

    Args:
        tables: split -> `datasets.Dataset`.
        columns: role -> column.
        max_bad_rows: how many dropped rows are accepted over all splits; by default 10 or 1 % of the
            rows, whichever is more.

    Raises:
        DataError: too many bad rows, no usable row in train, or a value that is neither text nor number.
    """
    splits: dict[str, Rows] = {}
    notes: list[str] = []
    dropped: list[str] = []
    total = 0
    for split, table in tables.items():
        rows, missing = _split_rows(split, table, columns)
        if rows.labels is not None and split != "train" and len(missing[LABEL]) == len(table):
            notes.append(f"the {split} split has no labels and is not used")
            continue
        total += len(table)
        dropped += [f"{split} row {number}" for numbers in missing.values() for number in numbers]
        if not len(rows):
            raise DataError(f"no row of the {split} split is usable", hint=_missing_hint(columns))
        splits[split] = rows
    _refuse_bad_rows(dropped, total, columns, max_bad_rows)
    if dropped:
        notes.append(f"{len(dropped)} of {total} rows were dropped for a missing text or label, first {dropped[0]}")
    return splits, tuple(notes)


def _refuse_bad_rows(dropped: Sequence[str], total: int, columns: Mapping[str, str], limit: int | None) -> None:
    allowed = max(BAD_ROWS, int(BAD_ROW_SHARE * total)) if limit is None else limit
    if len(dropped) > allowed:
        raise DataError(
            f"{len(dropped)} of {total} rows lack a text or label ({allowed} may), first {dropped[0]}",
            hint=_missing_hint(columns),
        )


def _missing_hint(columns: Mapping[str, str]) -> str:
    used = ", ".join(f"{role} = {column!r}" for role, column in columns.items())
    return f"fill the rows in, or name other columns; used now: {used}"


def _split_rows(split: str, table: Any, columns: Mapping[str, str]) -> tuple[Rows, dict[str, list[int]]]:
    """The rows of a split, and for each role the numbers of rows first found to lack it."""
    values = {role: table[column][:] for role, column in columns.items()}
    names = getattr(table.features[columns[LABEL]], "names", None) if LABEL in columns else None
    missing: dict[str, list[int]] = {role: [] for role in columns}
    kept: list[int] = []
    plain: dict[str, list[str]] = {role: [] for role in columns}
    for index in range(len(table)):
        place = f"{split} row {index + 1}"
        row = {
            role: label_text(column[index], names, place) if role == LABEL else _text(column[index], role, place)
            for role, column in values.items()
        }
        # The label is asked first so that an unlabelled split is seen as such.
        absent = [role for role in (LABEL, *columns) if role in row and row[role] is None]
        if absent:
            missing[absent[0]].append(index + 1)
            continue
        kept.append(index + 1)
        for role, value in row.items():
            plain[role].append(str(value))
    texts = {role: tuple(column) for role, column in plain.items() if role != LABEL}
    labels = tuple(plain[LABEL]) if LABEL in columns else None
    return Rows(texts, labels, tuple(kept)), missing


def _text(value: Any, role: str, place: str) -> str | None:
    """The text of a cell; None when it is missing or blank."""
    if value is None or value != value:  # NaN, which pandas uses for a missing cell
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool | int | float):
        return str(value)
    raise DataError(
        f"{place}: the {role} is a {type(value).__name__}, not text",
        hint=f"name a column of texts with --{role.replace('_', '-')}-column",
    )
