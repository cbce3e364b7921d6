"""From the rows of a file to answered rows: a window of them at a time, written as they come."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autopeft.artifacts.answers import flat
from autopeft.artifacts.input_texts import texts_of, written_out
from autopeft.artifacts.predictor import WINDOW_ROWS, Predictor, windows
from autopeft.artifacts.row_files import RowWriter
from autopeft.data.records import Record
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError


@dataclass(frozen=True, slots=True)
class Asked:
    """What the rows of a file ask a model.

    Attributes:
        task: of the run.
        columns: role -> column.
    """

    task: TaskSpec
    columns: Mapping[str, str]

    def texts(self, records: list[Record]) -> Iterator[dict[str, str] | None]:
        """Role -> text of each row; None where a text is missing.

        Raises:
            DataError: a cell holds no text; the message names the line.
        """
        for record in records:
            try:
                texts = texts_of(record.cells, self.columns)
                yield None if texts is None else written_out(self.task, texts)
            except DataError as error:
                raise DataError(f"line {record.number}: {error.message}", hint=error.hint) from None


def answer_rows(
    predictor: Predictor, records: Iterator[Record], asked: Asked, writer: RowWriter, *, nested: bool
) -> tuple[int, int]:
    """Answer rows and write each with its own columns first.

    Args:
        predictor: of the run.
        records: the rows, read as they are asked for.
        asked: what they hold.
        writer: takes them in their order.
        nested: whether an answer may hold a mapping, as JSON can; else each value gets a column.

    Returns:
        How many rows there were, and how many of them were without text.
    """
    rows = empty = 0
    for window in windows(records, WINDOW_ROWS):
        for record, answer in zip(window, predictor.answers(asked.texts(window)), strict=True):
            rows += 1
            empty += answer is predictor.blank
            writer.write(record.cells | (answer if nested else flat(answer)))
    return rows, empty
