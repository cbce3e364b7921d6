"""Columns, rows, labels and splits: what a user's table becomes before a tokenizer sees it."""

from collections import Counter

import datasets
import pytest

from autopeft.data.columns import choose_columns
from autopeft.data.load import prepare_data
from autopeft.data.rows import Rows
from autopeft.data.splits import make_splits
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError, UsageError


def table(rows: int, labels: int = 2, prefix: str = "w") -> dict[str, list[object]]:
    return {"text": [f"{prefix} {n}" for n in range(rows)], "label": [n % labels for n in range(rows)]}


def plain_rows(texts: list[str], labels: list[str] | None = None) -> Rows:
    return Rows({"text": tuple(texts)}, None if labels is None else tuple(labels), tuple(range(1, len(texts) + 1)))


def test_columns_are_guessed_in_the_tasks_order_and_said(classification: TaskSpec) -> None:
    chosen, notes = choose_columns(["id", "Sentence2", "sentence1", "class"], classification)
    assert chosen == {"text": "sentence1", "text_pair": "Sentence2", "label": "class"}
    assert "'sentence1' as text" in notes[0]


def test_a_named_text_column_is_the_whole_text(classification: TaskSpec) -> None:
    chosen, _ = choose_columns(["body", "sentence2", "label"], classification, {"text": "body"})
    assert chosen == {"text": "body", "label": "label"}


def test_a_column_is_never_guessed_for_two_roles(text_to_text: TaskSpec) -> None:
    with pytest.raises(DataError, match="known to be the target"):
        choose_columns(["target", "other"], text_to_text, {"source": "target"})


@pytest.mark.parametrize(
    ("available", "given", "says", "option"),
    [
        (["text", "mark"], {}, "known to be the label; the data has 'text', 'mark'", "--label-column"),
        (["text", "mark"], {"text": "txet"}, "no column 'txet'", "--text-column"),
        (["text"], {"label": "text", "text": "text"}, "cannot be both", "--label-column"),
    ],
)
def test_missing_columns_list_what_there_is(
    classification: TaskSpec, available: list[str], given: dict[str, str], says: str, option: str
) -> None:
    with pytest.raises(DataError) as caught:
        choose_columns(available, classification, given)
    assert says in caught.value.message
    assert option in str(caught.value.hint)


def test_a_role_that_the_task_lacks_is_a_usage_error(causal: TaskSpec) -> None:
    with pytest.raises(UsageError, match="--label-column has no meaning"):
        choose_columns(["text"], causal, {"label": "text"})


def test_train_alone_is_cut_80_10_10_in_proportion_to_the_labels(classification: TaskSpec) -> None:
    data = table(1000, 1)
    data["label"] = ["rare" if n % 5 == 0 else "common" for n in range(1000)]
    prepared = prepare_data(data, classification)
    assert {split: len(rows) for split, rows in prepared.rows.items()} == {"train": 800, "validation": 100, "test": 100}
    for rows in prepared.rows.values():
        assert Counter(rows.labels)["rare"] == len(rows) / 5
    texts = [text for rows in prepared.rows.values() for text in rows.texts["text"]]
    assert sorted(texts) == sorted(str(text) for text in data["text"])


def test_a_missing_test_split_comes_from_train_never_from_validation(classification: TaskSpec) -> None:
    source = {"train": table(100), "validation": table(20, prefix="v")}
    rows = prepare_data(source, classification).rows
    assert rows["validation"].texts["text"] == tuple(f"v {n}" for n in range(20))
    assert len(rows["test"]) == 10
    assert all(text.startswith("w") for text in rows["test"].texts["text"])


def test_splits_repeat_with_the_seed_and_differ_without(classification: TaskSpec) -> None:
    first, again, other = (prepare_data(table(200), classification, split_seed=seed).rows for seed in (0, 0, 1))
    assert first == again
    assert first["test"] != other["test"]


def test_texts_are_in_one_split_only_and_test_wins() -> None:
    given = {
        "train": plain_rows(["a", " b ", "c", "d"]),
        "validation": plain_rows(["b", "e", "f"]),
        "test": plain_rows(["c", "f "]),
    }
    splits, notes = make_splits(given)
    assert {split: rows.texts["text"] for split, rows in splits.items()} == {
        "train": ("a", "d"),
        "validation": ("b", "e"),
        "test": ("c", "f "),
    }
    assert any(note.startswith("train: 2 rows removed") for note in notes)
    assert any(note.startswith("validation: 1 rows removed") for note in notes)


def test_pairs_are_the_same_only_when_both_texts_are(classification: TaskSpec) -> None:
    def pairs(second: str) -> dict[str, list[str]]:
        return {"sentence1": ["same"] * 2, "sentence2": [f"{second} {n}" for n in range(2)], "label": ["a", "b"]}

    source = {"train": pairs("x"), "validation": pairs("y"), "test": pairs("z")}
    assert all(len(rows) == 2 for rows in prepare_data(source, classification).rows.values())


def test_caps_keep_order_and_classes_and_are_nested(classification: TaskSpec) -> None:
    data = table(300, 1)
    data["label"] = ["rare" if n in (7, 107, 207) else "common" for n in range(300)]
    source = {"train": data, "validation": table(50, prefix="v"), "test": table(50, prefix="t")}
    for held_out in ("validation", "test"):
        source[held_out]["label"] = ["common"] * 50
    small, large = (
        prepare_data(source, classification, max_train_rows=most, max_evaluation_rows=10).rows for most in (10, 40)
    )
    assert [len(small[split]) for split in ("train", "validation", "test")] == [10, 10, 10]
    assert set(small["train"].labels or ()) == {"rare", "common"}
    assert list(small["train"].numbers) == sorted(small["train"].numbers)
    assert set(small["train"].numbers) < set(large["train"].numbers)


def test_too_few_rows_to_cut_from(classification: TaskSpec) -> None:
    with pytest.raises(DataError, match="too few to cut"):
        prepare_data(table(4), classification)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([2, 10, 1], ("1", "2", "10")),
        (["10", "2", "1"], ("1", "2", "10")),
        ([True, False, True], ("false", "true")),
        (["b", "a", "c"], ("a", "b", "c")),
        ([1.0, 0.0, 2.0], ("0", "1", "2")),
    ],
)
def test_labels_of_any_kind_become_names_in_order(
    classification: TaskSpec, values: list[object], names: tuple[str, ...]
) -> None:
    data = {"text": [f"w {n}" for n in range(30)], "label": values * 10}
    prepared = prepare_data(data, classification)
    assert prepared.label_names == names
    rows, numbers = prepared.rows["train"], prepared.labels["train"]
    assert [names[number] for number in numbers] == list(rows.labels or ())


def test_declared_class_names_are_used_and_minus_one_is_no_label(classification: TaskSpec) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    train = datasets.Dataset.from_dict(table(50), features=features)
    hidden = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [-1, -1]}, features=features)
    prepared = prepare_data(datasets.DatasetDict({"train": train, "test": hidden}), classification)
    assert prepared.label_names == ("no", "yes")
    assert len(prepared.rows["test"]) == 5  # cut from train, since the given one has no labels
    assert "the test split has no labels and is not used" in prepared.notes


def test_a_test_split_without_the_label_column_is_left_out(classification: TaskSpec) -> None:
    prepared = prepare_data({"train": table(50), "test": {"text": ["x", "y"]}}, classification)
    assert len(prepared.rows["test"]) == 5
    assert any("no column 'label'" in note for note in prepared.notes)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["a"] * 40, "same label 'a'"),
        ([n / 7 for n in range(40)], "regression"),
        (["0.5", "1"] * 20, "regression"),
        ([f"id{n}" for n in range(40)], "these are no classes"),
        ([["O", "B"]] * 40, "train row 1: the label is a list"),
    ],
)
def test_labels_that_are_no_classes_are_refused(classification: TaskSpec, labels: list[object], says: str) -> None:
    with pytest.raises(DataError) as caught:
        prepare_data({"text": [f"w {n}" for n in range(40)], "label": labels}, classification)
    assert says in caught.value.message
    assert caught.value.hint


def test_an_unknown_label_names_value_row_and_split(classification: TaskSpec) -> None:
    source = {"train": table(50), "validation": {"text": ["x", "y"], "label": [0, 7]}}
    with pytest.raises(DataError, match="validation row 2: the label '7'"):
        prepare_data(source, classification)


def test_a_few_bad_rows_are_dropped_counted_and_named(classification: TaskSpec) -> None:
    data = table(100)
    data["text"][3] = "  "
    data["label"][5] = None
    prepared = prepare_data(data, classification)
    assert sum(len(rows) for rows in prepared.rows.values()) == 98
    assert any(note.startswith("2 of 100 rows were left out, first train row 4: no text") for note in prepared.notes)
    with pytest.raises(DataError, match=r"2 of 100 rows lack a text or label \(1 may"):
        prepare_data(data, classification, max_bad_rows=1)


def test_many_bad_rows_are_refused(classification: TaskSpec) -> None:
    data = table(100)
    data["text"][:11] = [None] * 11
    with pytest.raises(DataError, match="11 of 100 rows lack"):
        prepare_data(data, classification)


def test_a_column_of_lists_is_no_text(causal: TaskSpec) -> None:
    with pytest.raises(DataError, match="train row 1: a list where text should be"):
        prepare_data({"text": [["a", "b"]] * 10}, causal)
