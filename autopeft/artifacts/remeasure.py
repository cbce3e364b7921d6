"""The adapter measured again: on the test rows of its run, or on other rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from autopeft.data.bad_rows import BadRows
from autopeft.data.batches import evaluation_batches
from autopeft.data.columns import choose_columns
from autopeft.data.extract import Table, extract_rows
from autopeft.data.rows import Rows
from autopeft.data.sources import Reading, read_tables
from autopeft.data.task_data import TaskData
from autopeft.domain.evaluation import Evaluation
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError
from autopeft.training.answers import reader_of
from autopeft.training.evaluation import evaluate
from autopeft.training.writing import Writer

TEST = "test"
# The readers of a data set take its only split for the training rows.
ONLY = "train"


def measure_split(
    model: nn.Module, task: TaskSpec, data: TaskData, split: str, batch_size: int, tokenizer: Any
) -> Evaluation:
    """What the model does on the rows of a split, in the batches of a final evaluation and in float32.

    Args:
        model: adapted; its device is where batches go.
        task: of the run, with its metric.
        data: encoded for its base.
        split: of `data`.
        batch_size: rows in a batch; the recorded one gives the recorded figure to the last digits.
        tokenizer: of the base, for answers that are written.
    """

    def batches() -> Iterator[tuple[Sequence[int], Mapping[str, Tensor]]]:
        for chosen in evaluation_batches(data.splits[split].lengths, batch_size):
            yield chosen.tolist(), data.batch(split, chosen)

    reader = reader_of(task, data, split, Writer(tokenizer, data.pad_id, data.max_target_length or 1))
    device = next(model.parameters()).device
    return evaluate(model, batches(), autocast=None, device=device, reader=reader)


def read_labelled_rows(
    dataset: Any, task: TaskSpec, recorded: Mapping[str, str], given: Mapping[str, str], split: str | None
) -> tuple[Rows, str, tuple[str, ...]]:
    """The rows of one split of a data set, which split that is, and what was done to it, one sentence each.

    Args:
        dataset: see `data.sources.read_tables`.
        task: of the run.
        recorded: role -> column of the run's own data, used where a column is called the same.
        given: role -> column, where the user names it.
        split: to read; by default `test` where there is one, else the only one.

    Raises:
        DataError: there is no such split or column, or the rows cannot be used.
    """
    bad = BadRows()
    tables = read_tables(dataset, Reading(bad=bad))
    chosen = split or (TEST if TEST in tables else ONLY if len(tables) == 1 else "")
    if chosen not in tables:
        what = f"no split {chosen!r}" if chosen else "several splits but no test split"
        raise DataError(f"the data has {what}; it has {', '.join(tables)}", hint="name one with --split")
    table: Table = tables[chosen]
    available = table.data.column_names
    known = {role: column for role, column in recorded.items() if column in available}
    columns, guesses = choose_columns(available, task, {**known, **given})
    rows, notes = extract_rows({ONLY: table}, columns, task, bad)
    return rows[ONLY], chosen, (*guesses, *notes)
