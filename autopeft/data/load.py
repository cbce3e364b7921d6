"""From a source to encoded rows: the one entry point of this package."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autopeft.data.columns import choose_columns
from autopeft.data.files import TextDocuments
from autopeft.data.labels import LABEL, encode_labels, label_vocabulary
from autopeft.data.rows import Rows, extract_rows
from autopeft.data.sources import read_source
from autopeft.data.splits import make_splits
from autopeft.data.task_data import TaskData
from autopeft.data.tokenize import tokenize
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError


@dataclass(frozen=True, slots=True)
class PreparedData:
    """Checked rows in three splits, before any tokenizer.

    Attributes:
        rows: split -> rows.
        labels: split -> class numbers; empty for language models.
        label_names: classes in the order of their numbers.
        columns: role -> column.
        notes: what was done, one sentence each.
    """

    rows: Mapping[str, Rows]
    labels: Mapping[str, tuple[int, ...]]
    label_names: tuple[str, ...]
    columns: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def texts(self) -> dict[str, list[str]]:
        """Split -> one input text a row, the texts of a pair joined by a line break: for tf-idf."""
        return {split: ["\n".join(key) for key in rows.identities()] for split, rows in self.rows.items()}


@dataclass(frozen=True, slots=True)
class LoadedData:
    """Encoded data, and the plain rows that the baselines read."""

    encoded: TaskData
    plain: PreparedData


def prepare_data(
    source: Any,
    task: TaskSpec,
    *,
    columns: Mapping[str, str] | None = None,
    split_seed: int = 0,
    max_train_rows: int | None = None,
    max_evaluation_rows: int | None = None,
    max_bad_rows: int | None = None,
    documents: TextDocuments = "auto",
) -> PreparedData:
    """Read, pick columns, drop bad rows, make splits and number the labels; no model is needed.

    Args:
        source: see `sources.read_source`.
        task: what the rows are for.
        columns: role -> column, where the user names it.
        split_seed: of cuts and caps.
        max_train_rows: cap on training rows.
        max_evaluation_rows: cap on validation rows and on test rows.
        max_bad_rows: rows that may lack a text or label; by default 10 or 1 %.
        documents: what a document of a plain text file is.

    Raises:
        DataError: the data cannot be used; the message says what, where and why.
        UsageError: an option that the task does not take.
    """
    tables = read_source(source, documents=documents)
    chosen, guess_notes = choose_columns(tables["train"].column_names, task, columns)
    usable, left_out_notes = _usable_tables(tables, chosen)
    rows, bad_notes = extract_rows(usable, chosen, max_bad_rows=max_bad_rows)
    splits, split_notes = make_splits(
        rows,
        seed=split_seed,
        max_train_rows=max_train_rows,
        max_validation_rows=max_evaluation_rows,
        max_test_rows=max_evaluation_rows,
    )
    names: tuple[str, ...] = ()
    labels: dict[str, tuple[int, ...]] = {}
    if LABEL in chosen:
        declared = getattr(tables["train"].features[chosen[LABEL]], "names", None)
        names = label_vocabulary(splits["train"].labels or (), declared)
        labels = encode_labels(splits, names)
    return PreparedData(splits, labels, names, chosen, guess_notes + left_out_notes + bad_notes + split_notes)


def load_task_data(  # noqa: PLR0913 - the one entry point: every option by its name
    source: Any,
    task: TaskSpec,
    tokenizer: Any,
    *,
    columns: Mapping[str, str] | None = None,
    split_seed: int = 0,
    max_train_rows: int | None = None,
    max_evaluation_rows: int | None = None,
    max_bad_rows: int | None = None,
    documents: TextDocuments = "auto",
    max_length: int | None = None,
    model_limit: int | None = None,
    accepted_arguments: Collection[str] | None = None,
    cache_dir: Path | None = None,
) -> LoadedData:
    """`prepare_data`, then `tokenize`: everything that a search needs of a data set.

    Args:
        source: see `sources.read_source`.
        task: what the rows are for.
        tokenizer: of transformers; given a padding token where it has none.
        columns: role -> column, where the user names it.
        split_seed: of cuts and caps.
        max_train_rows: cap on training rows.
        max_evaluation_rows: cap on validation rows and on test rows.
        max_bad_rows: rows that may lack a text or label; by default 10 or 1 %.
        documents: what a document of a plain text file is.
        max_length: tokens of a row; by default chosen from the data.
        model_limit: positions that the model has.
        accepted_arguments: names that the model's forward takes.
        cache_dir: where the encoded arrays are kept.

    Raises:
        DataError: the data cannot be used.
        UsageError: an option that the task or the model does not take.
        ModelError: the tokenizer cannot pad.
        RunError: `cache_dir` cannot be written.
    """
    plain = prepare_data(
        source,
        task,
        columns=columns,
        split_seed=split_seed,
        max_train_rows=max_train_rows,
        max_evaluation_rows=max_evaluation_rows,
        max_bad_rows=max_bad_rows,
        documents=documents,
    )
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


def _usable_tables(tables: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The splits that have all chosen columns; held-out splits without labels are left out with a note."""
    usable: dict[str, Any] = {}
    notes: list[str] = []
    for split, table in tables.items():
        lacking = {role for role, column in columns.items() if column not in table.column_names}
        if lacking == {LABEL}:
            notes.append(f"the {split} split has no column {columns[LABEL]!r} and is not used")
        elif lacking:
            listed = ", ".join(repr(name) for name in table.column_names)
            role = min(lacking)
            raise DataError(
                f"the {split} split has no column {columns[role]!r} as train has; it has {listed}",
                hint="give all splits the same columns",
            )
        else:
            usable[split] = table
    return usable, tuple(notes)
