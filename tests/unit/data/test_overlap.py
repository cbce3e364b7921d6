"""No figure is measured on what was trained on, unless the user says so."""

from typing import Any

import pytest

from autopeft.data.load import PreparedData, prepare_data
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError


def table(rows: range, **more: Any) -> dict[str, list[Any]]:
    return {"text": [f"text {n}" for n in rows], "label": [n % 2 for n in rows], **more}


def texts(prepared: PreparedData, split: str) -> set[str]:
    return set(prepared.rows[split].texts["text"])


def test_splits_that_share_much_are_refused_with_the_first_row(classification: TaskSpec) -> None:
    source = {"train": table(range(200)), "validation": table(range(300, 340)), "test": table(range(150, 250))}
    with pytest.raises(DataError) as caught:
        prepare_data(source, classification)
    assert "50 of 100 rows of test are in train too, first test row 1" in caught.value.message
    assert "--allow-overlap" in str(caught.value.hint)


def test_a_little_overlap_is_taken_out_of_train_and_counted(classification: TaskSpec) -> None:
    source = {"train": table(range(200)), "validation": table(range(300, 340)), "test": table(range(190, 290))}
    prepared = prepare_data(source, classification)
    assert texts(prepared, "test") == {f"text {n}" for n in range(190, 290)}
    assert not texts(prepared, "train") & texts(prepared, "test")
    assert "train: 10 rows removed whose text is also in validation or test" in prepared.notes


def test_allowed_overlap_stays_and_is_said(classification: TaskSpec) -> None:
    source = {"train": table(range(200)), "validation": table(range(300, 340)), "test": table(range(150, 250))}
    prepared = prepare_data(source, classification, allow_overlap=True)
    assert len(prepared.rows["train"]) == 200
    assert any("50 rows whose text is also in test or validation stay" in note for note in prepared.notes)


def test_copies_within_train_are_cut_together(classification: TaskSpec) -> None:
    copied = table(range(100))
    source = {name: column * 2 for name, column in copied.items()}
    prepared = prepare_data(source, classification)
    assert sum(len(rows) for rows in prepared.rows.values()) == 200
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not texts(prepared, one) & texts(prepared, other)
    assert not any("removed" in note for note in prepared.notes)


def test_groups_stay_in_one_split(classification: TaskSpec) -> None:
    users = [f"user {n // 7}" for n in range(300)]
    prepared = prepare_data(table(range(300), user=users), classification, group_column="user")
    of_split = {split: set(rows.groups or ()) for split, rows in prepared.rows.items()}
    assert not of_split["train"] & of_split["test"]
    assert not of_split["train"] & of_split["validation"]
    assert not of_split["validation"] & of_split["test"]
    assert sum(map(len, of_split.values())) == len(set(users))
    assert all(20 <= len(prepared.rows[split]) <= 30 for split in ("validation", "test"))


def test_groups_in_two_given_splits_are_refused(classification: TaskSpec) -> None:
    source = {
        "train": table(range(100), user=[n % 9 for n in range(100)]),
        "test": table(range(200, 220), user=[n % 9 for n in range(20)]),
    }
    with pytest.raises(DataError, match="9 groups are in both train and test, such as '0'"):
        prepare_data(source, classification, group_column="user")
    notes = prepare_data(source, classification, group_column="user", allow_overlap=True).notes
    assert "9 groups are in both train and test, as allowed" in notes


def test_a_single_group_cannot_be_parted(classification: TaskSpec) -> None:
    with pytest.raises(DataError, match="all rows of train are one group"):
        prepare_data(table(range(50), user=["me"] * 50), classification, group_column="user")


def test_a_group_column_must_be_there(classification: TaskSpec) -> None:
    with pytest.raises(DataError, match="no column 'user' for the group"):
        prepare_data(table(range(50)), classification, group_column="user")


def test_rows_of_no_group_are_groups_of_their_own(classification: TaskSpec) -> None:
    blank = [None, "", "  "]
    users = [f"user {n // 5}" if n < 50 else blank[n % 3] for n in range(300)]
    prepared = prepare_data(table(range(300), user=users), classification, group_column="user")
    assert [len(prepared.rows[split]) for split in ("train", "validation", "test")] == [240, 30, 30]
    of_split = {split: set(rows.groups or ()) - {""} for split, rows in prepared.rows.items()}
    assert not of_split["train"] & (of_split["validation"] | of_split["test"])
    given = {
        "train": table(range(100), user=[None] * 100),
        "validation": table(range(100, 140), user=[None] * 40),
        "test": table(range(200, 240), user=[""] * 40),
    }
    assert len(prepare_data(given, classification, group_column="user").rows["test"]) == 40
