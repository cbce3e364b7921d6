"""Cells of every kind, in the forms that people keep them in."""

from typing import Any, get_args

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.data.cells import Answer, Span, read_cell
from autopeft.data.load import prepare_data
from autopeft.domain.tasks import CellKind
from autopeft.errors import DataError

BOTH = (Span(0, 2, "PER"), Span(5, 9, "LOC"))


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("text", 3.5, "3.5"),
        ("text", True, "True"),
        ("text", " \n", None),
        ("class", 3.0, "3"),
        ("class", "3.0", "3"),
        ("class", "v1.0", "v1.0"),
        ("class", False, "false"),
        ("number", "4.25", 4.25),
        ("number", 3, 3.0),
        ("number", " ", None),
        ("classes", ["b", "a", "b"], ("b", "a")),
        ("classes", "a; b", ("a", "b")),
        ("classes", '["a", "b"]', ("a", "b")),
        ("classes", "", ()),
        ("classes", [0, 2], ("0", "2")),
        ("tokens", ["a", 1], ("a", "1")),
        ("tokens", "a  b", ("a", "b")),
        ("tokens", [], None),
        ("tags", ["O", "B-PER"], ("O", "B-PER")),
        ("spans", [{"start": 5, "end": 9, "label": "LOC"}, {"start": 0, "end": 2, "label": "PER"}], BOTH),
        ("spans", {"start": [0, 5], "end": [2, 9], "label": ["PER", "LOC"]}, BOTH),
        ("spans", [[0, 2, "PER"], [5, 9, "LOC"]], BOTH),
        ("spans", '[[0, 2, "PER"], [5, 9, "LOC"]]', BOTH),
        ("spans", [], ()),
        ("answers", {"text": ["a", "b"], "answer_start": [1, 4]}, (Answer("a", 1), Answer("b", 4))),
        ("answers", {"text": [], "answer_start": []}, ()),
        ("answers", [{"text": "a", "answer_start": 1}], (Answer("a", 1),)),
        ("answers", "a", (Answer("a", -1),)),
        ("answers", "", ()),
        ("choices", ["yes", "no"], ("yes", "no")),
        ("choices", {"text": ["yes", "no"], "label": ["A", "B"]}, ("yes", "no")),
    ],
)
def test_forms(kind: Any, value: Any, read: Any) -> None:
    assert read_cell(kind, value) == read


@pytest.mark.parametrize("kind", get_args(CellKind))
@pytest.mark.parametrize("value", [None, float("nan")])
def test_nothing_is_missing(kind: Any, value: Any) -> None:
    assert read_cell(kind, value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", ["a"]),
        ("class", ["a"]),
        ("number", "many"),
        ("number", float("inf")),
        ("number", True),
        ("classes", {"a": 1}),
        ("classes", ["a", None]),
        ("tokens", ["a", None]),
        ("tags", 7),
        ("spans", [[3, 1, "PER"]]),
        ("spans", {"start": [0, 5], "end": [2]}),
        ("spans", "0-2:PER"),
        ("answers", [{"text": 3}]),
        ("choices", ["only"]),
        ("choices", ["yes", " "]),
    ],
)
def test_the_wrong_thing_is_refused_with_its_place(kind: Any, value: Any) -> None:
    with pytest.raises(DataError) as caught:
        read_cell(kind, value, place="rows.csv line 4")
    assert caught.value.message.startswith("rows.csv line 4: ")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_declared_names_stand_for_numbers() -> None:
    assert read_cell("tags", [0, 1], ["O", "B-PER"]) == ("O", "B-PER")
    with pytest.raises(DataError, match="outside of the 2 declared"):
        read_cell("tags", [2], ["O", "B-PER"], "row 1")


@pytest.mark.parametrize(
    ("task", "row", "says"),
    [
        ("token-classification", {"tokens": ["a", "b"], "tags": ["O"]}, "1 tags for 2 words"),
        ("token-classification", {"text": "ab", "spans": [[0, 9, "PER"]]}, "a span ends at 9, the text at 2"),
        ("question-answering", {"question": "q", "context": "c", "answers": "x"}, "'x' does not occur in the context"),
    ],
)
def test_cells_of_a_row_must_fit_each_other(task: str, row: dict[str, Any], says: str) -> None:
    spec = load_catalog().task(task)
    with pytest.raises(DataError, match=f"train row 1: .*{says}"):
        prepare_data({name: [cell] * 20 for name, cell in row.items()}, spec)


def test_labels_of_tags_and_of_several_a_row_are_named_in_order() -> None:
    catalog = load_catalog()
    words = {"tokens": [[f"w{n}", "x"] for n in range(20)], "ner_tags": [["B-PER", "O"]] * 20}
    assert prepare_data(words, catalog.task("token-classification")).label_names == ("B-PER", "O")
    topics = {"text": [f"t {n}" for n in range(20)], "labels": [["b"], ["a", "b"]] * 10}
    assert prepare_data(topics, catalog.task("multi-label-classification")).label_names == ("a", "b")
