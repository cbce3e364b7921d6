"""From the rows of a file to answered rows: a window of them at a time, written as they come."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from autopeft.artifacts.answers import Answer, flat
from autopeft.artifacts.input_texts import texts_of, written_out
from autopeft.artifacts.predictor import WINDOW_ROWS, windows
from autopeft.artifacts.row_files import RowWriter
from autopeft.data.records import Record
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError

Row = TypeVar("Row")
Taken = TypeVar("Taken", contravariant=True)


class RowPredictor(Protocol[Taken]):
    """Answers rows of one kind."""

    @property
    def blank(self) -> Answer:
        """The answer to a row without text."""

    def answers(self, rows: Iterable[Taken | None]) -> Iterator[Answer]:
        """One answer a row, in order; None stands for a row without text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a row of a file is read as texts.

    Attributes:
        task: of the run.
        columns: role -> column.
    """

    task: TaskSpec
    columns: Mapping[str, str]

    def __call__(self, cells: Mapping[str, Any]) -> dict[str, str] | None:
        """Role -> text; None where a text is missing.

        Raises:
            DataError: a cell holds no text.
        """
        texts = texts_of(cells, self.columns)
        return None if texts is None else written_out(self.task, texts)


def answer_rows(
    predictor: RowPredictor[Row],
    records: Iterator[Record],
    asked: Callable[[Mapping[str, Any]], Row | None],
    writer: RowWriter,
    *,
    nested: bool,
) -> tuple[int, int]:
    """Answer rows and write each with its own columns first.

    Args:
        predictor: of the run.
        records: the rows, read as they are asked for.
        asked: how the cells of a row are read; None where they hold no text.
        writer: takes them in their order.
        nested: whether an answer may hold a mapping, as JSON can; else each value gets a column.

    Returns:
        How many rows there were, and how many of them were without text.

    Raises:
        DataError: a cell holds something else, or an answer would write over one; the message names the line.
    """
    rows = empty = 0
    for window in windows(records, WINDOW_ROWS):
        for record, answer in zip(window, predictor.answers(_read(window, asked)), strict=True):
            rows += 1
            empty += answer is predictor.blank
            named = answer if nested else flat(answer)
            with _at_line(record):
                _refuse_overwriting(record.cells, named)
                writer.write(record.cells | named)
    return rows, empty


def _refuse_overwriting(cells: Mapping[str, Any], answer: Answer) -> None:
    taken = next((name for name in answer if name in cells), None)
    if taken is not None:
        raise DataError(f"there is a column {taken!r} already", hint="rename it: that is what the answers are called")


def _read(records: list[Record], asked: Callable[[Mapping[str, Any]], Row | None]) -> Iterator[Row | None]:
    for record in records:
        with _at_line(record):
            row = asked(record.cells)
        yield row


@contextmanager
def _at_line(record: Record) -> Iterator[None]:
    """Errors in a row say which it is."""
    try:
        yield
    except DataError as error:
        raise DataError(f"line {record.number}: {error.message}", hint=error.hint) from None
