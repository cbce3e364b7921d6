"""From a source to encoded rows: the one entry point of this package."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from autopeft.data.bad_rows import BadRows
from autopeft.data.columns import choose_columns
from autopeft.data.extract import Table, extract_rows
from autopeft.data.files import TextDocuments
from autopeft.data.labels import encode_labels, label_vocabulary
from autopeft.data.roles import declared_names
from autopeft.data.rows import Rows
from autopeft.data.sources import Reading, read_tables
from autopeft.data.splits import make_splits
from autopeft.data.task_data import TaskData
from autopeft.data.tokenize import tokenize
from autopeft.domain.tasks import LABEL_ROLE, TaskSpec
from autopeft.errors import DataError


class DataOptions(TypedDict, total=False):
    """What a user may say about a data set.

    Attributes:
        columns: role -> column, where the names do not tell.
        splits: split -> the name that the source has for it.
        documents: what a document of a plain text file is.
        group_column: rows with the same value stay in one split.
        split_seed: of cuts and caps.
        max_train_rows: cap on training rows.
        max_evaluation_rows: cap on validation rows and on test rows.
        max_bad_rows: rows that may be left out; by default 10 or 1 % for missing cells, and none that cannot be read.
        allow_overlap: whether rows that two splits share stay where they are.
    """

    columns: Mapping[str, str] | None
    splits: Mapping[str, str]
    documents: TextDocuments
    group_column: str | None
    split_seed: int
    max_train_rows: int | None
    max_evaluation_rows: int | None
    max_bad_rows: int | None
    allow_overlap: bool


@dataclass(frozen=True, slots=True)
class PreparedData:
    """Checked rows in three splits, before any tokenizer.

    Attributes:
        rows: split -> rows.
        labels: split -> class numbers; empty where the task has no class for a row.
        label_names: classes in the order of their numbers; also those of tags, spans and several labels a row.
        columns: role -> column.
        notes: what was done, one sentence each.
        left_out: rows that were not usable.
    """

    rows: Mapping[str, Rows]
    labels: Mapping[str, tuple[int, ...]]
    label_names: tuple[str, ...]
    columns: Mapping[str, str]
    notes: tuple[str, ...]
    left_out: int = 0

    @property
    def texts(self) -> dict[str, "AskedTexts"]:
        """Split -> one input text a row, the texts of a pair joined by a line break: for tf-idf."""
        return {split: AskedTexts(rows) for split, rows in self.rows.items()}


@dataclass(frozen=True, slots=True)
class AskedTexts:
    """What each row of a split asks, read when it is asked for."""

    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        return self.rows.asked()

    def at(self, indices: Iterable[int]) -> list[str]:
        """The texts of the rows at `indices` (from 0), in that order."""
        return list(self.rows.select(indices).asked())


@dataclass(frozen=True, slots=True)
class LoadedData:
    """Encoded data, and the plain rows that the baselines read."""

    encoded: TaskData
    plain: PreparedData

    def with_notes(self, notes: tuple[str, ...]) -> "LoadedData":
        """With these notes before the others."""
        return replace(self, encoded=replace(self.encoded, notes=notes + self.encoded.notes))


def prepare_data(source: Any, task: TaskSpec, **options: Unpack[DataOptions]) -> PreparedData:
    """Read, pick columns, drop bad rows, make splits and number the labels; no model is needed.

    Args:
        source: see `sources.read_tables`.
        task: what the rows are for.
        options: see `DataOptions`.

    Raises:
        DataError: the data cannot be used; the message says what, where and why.
        UsageError: an option that the task does not take.
        RunError: there is no room for temporary files.
    """
    bad = BadRows(options.get("max_bad_rows"))
    reading = Reading(options.get("documents", "auto"), options.get("splits") or {}, bad)
    tables = read_tables(source, reading)
    chosen, guess_notes = choose_columns(tables["train"].data.column_names, task, options.get("columns"))
    group_column = options.get("group_column")
    usable, unused_notes = _usable_tables(tables, chosen, task, group_column)
    rows, bad_notes = extract_rows(usable, chosen, task, bad, group_column)
    splits, split_notes = make_splits(
        rows,
        seed=options.get("split_seed", 0),
        allow_overlap=options.get("allow_overlap", False),
        max_train_rows=options.get("max_train_rows"),
        max_validation_rows=options.get("max_evaluation_rows"),
        max_test_rows=options.get("max_evaluation_rows"),
    )
    notes = guess_notes + unused_notes + bad_notes + split_notes
    names, labels = _labels(splits, tables["train"], chosen, task)
    return PreparedData(splits, labels, names, chosen, notes, bad.count)


def load_task_data(
    source: Any,
    task: TaskSpec,
    tokenizer: Any,
    *,
    max_length: int | None = None,
    model_limit: int | None = None,
    accepted_arguments: Collection[str] | None = None,
    cache_dir: Path | None = None,
    **options: Unpack[DataOptions],
) -> LoadedData:
    """`prepare_data`, then `tokenize`: everything that a search needs of a data set.

    Args:
        source: see `sources.read_tables`.
        task: what the rows are for.
        tokenizer: of transformers; given a padding token where it has none.
        max_length: tokens of a row; by default chosen from the data.
        model_limit: positions that the model has.
        accepted_arguments: names that the model's forward takes.
        cache_dir: where the encoded arrays are kept.
        options: see `DataOptions`.

    Raises:
        DataError: the data cannot be used.
        UsageError: an option that the task or the model does not take.
        ModelError: the tokenizer cannot pad.
        RunError: `cache_dir` cannot be written.
    """
    plain = prepare_data(source, task, **options)
    encoded = tokenize(
        plain.rows,
        task,
        tokenizer,
        max_length,
        cache_dir,
        label_names=plain.label_names,
        model_limit=model_limit,
        accepted_arguments=accepted_arguments,
    )
    return LoadedData(replace(encoded, columns=plain.columns, notes=plain.notes + encoded.notes), plain)


def _labels(
    splits: Mapping[str, Rows], train: Table, columns: Mapping[str, str], task: TaskSpec
) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """The names of all labels, and each row's where it has one class."""
    declared = {role: declared_names(train.data.features.get(column)) for role, column in columns.items()}
    own = splits["train"].labels
    if own is not None:
        names = label_vocabulary(own, declared.get(LABEL_ROLE))
        return names, encode_labels(splits, names)
    for role in splits["train"].values:
        if task.kind_of(role) in ("tags", "classes", "spans"):
            return _names_in((rows.values[role] for rows in splits.values()), declared.get(role)), {}
    return (), {}


def _names_in(columns: Iterator[Sequence[Any]], declared: Sequence[str] | None) -> tuple[str, ...]:
    """All labels of rows that have several; one that no training row has is simply never learned."""
    seen = {getattr(one, "label", one) for column in columns for cell in column for one in cell}
    return tuple(name for name in declared if name in seen) if declared else tuple(sorted(seen))


def _usable_tables(
    tables: Mapping[str, Table], columns: Mapping[str, str], task: TaskSpec, group_column: str | None
) -> tuple[dict[str, Table], tuple[str, ...]]:
    """The splits that have all chosen columns; held-out splits without labels are left out with a note."""
    usable: dict[str, Table] = {}
    notes: list[str] = []
    wanted = dict(columns) if group_column is None else {**columns, "group": group_column}
    for split, table in tables.items():
        present = table.data.column_names
        lacking = {role for role, column in wanted.items() if column not in present}
        if lacking and split != "train" and all(task.answers_with(role) for role in lacking):
            notes.append(f"the {split} split has no column {wanted[min(lacking)]!r} and is not used")
        elif lacking:
            raise _lacks(split, min(lacking), wanted, present)
        else:
            usable[split] = table
    return usable, tuple(notes)


def _lacks(split: str, role: str, wanted: Mapping[str, str], present: Sequence[str]) -> DataError:
    listed = ", ".join(repr(name) for name in present)
    if split == "train":
        return DataError(
            f"there is no column {wanted[role]!r} for the {role}; there are {listed}", hint=f"correct --{role}-column"
        )
    return DataError(
        f"the {split} split has no column {wanted[role]!r} as train has; it has {listed}",
        hint="give all splits the same columns",
    )
