"""Answered rows keep every column that they had."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from autopeft.artifacts.answer_rows import answer_rows
from autopeft.artifacts.answers import PREDICTION, PROBABILITIES, Answer
from autopeft.data.records import Record
from autopeft.errors import DataError


class Sure:
    """Answers every row alike."""

    blank: Answer = {PREDICTION: None, PROBABILITIES: {"yes": None}}  # noqa: RUF012 - read only

    def answers(self, rows: Iterable[Any]) -> Iterator[Answer]:
        return ({PREDICTION: "yes", PROBABILITIES: {"yes": 1.0}} for _ in rows)


class Kept:
    """Keeps rows in memory."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))


@pytest.mark.parametrize(("nested", "taken"), [(True, "probabilities"), (False, "probability_yes")])
def test_a_later_row_whose_column_an_answer_would_write_over_is_refused(nested: bool, taken: str) -> None:
    records = [Record(1, {"text": "a"}, 1), Record(2, {"text": "b", taken: "mine"}, 1)]
    with pytest.raises(DataError, match=f"line 2: there is a column '{taken}' already"):
        answer_rows(Sure(), iter(records), lambda cells: cells, Kept(), nested=nested)


def test_a_column_that_only_the_other_format_would_write_over_is_kept() -> None:
    kept = Kept()
    rows = iter([Record(1, {"text": "a", "probability_yes": "mine"}, 1)])
    assert answer_rows(Sure(), rows, lambda cells: cells, kept, nested=True) == (1, 0)
    assert kept.rows[0]["probability_yes"] == "mine"
