"""Rows that cannot be read stop everything, or are counted and capped when the user says so; none vanishes."""

from pathlib import Path

import pytest

from autopeft.data.load import prepare_data
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError

GOOD = "".join(f'{{"text": "text {n}", "label": {n % 2}}}\n' for n in range(60))
SPOILED = {
    "rows.jsonl": (GOOD + '{"text": \n[1]\n' + '{"text": "a", }\n', "rows.jsonl line 61: broken JSON"),
    "rows.csv": (
        "text,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(60)) + "a,b,c\n" * 3,
        "line 62: 3 cells",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_the_first_unreadable_row_stops_everything(tmp_path: Path, name: str, classification: TaskSpec) -> None:
    path = tmp_path / name
    path.write_text(SPOILED[name][0])
    with pytest.raises(DataError) as caught:
        prepare_data(path, classification)
    assert SPOILED[name][1] in caught.value.message
    assert "--max-bad-rows" in str(caught.value.hint)


@pytest.mark.parametrize("name", SPOILED)
def test_within_the_users_limit_they_are_left_out_and_counted(
    tmp_path: Path, name: str, classification: TaskSpec
) -> None:
    path = tmp_path / name
    path.write_text(SPOILED[name][0])
    prepared = prepare_data(path, classification, max_bad_rows=3)
    assert sum(len(rows) for rows in prepared.rows.values()) == 60
    assert prepared.left_out == 3
    assert any(note.startswith("3 of 6") and SPOILED[name][1] in note for note in prepared.notes)
    with pytest.raises(DataError, match=r"3 rows cannot be read \(2 may, --max-bad-rows\)"):
        prepare_data(path, classification, max_bad_rows=2)


def test_messages_name_the_line_of_the_file_also_after_rows_left_out(tmp_path: Path, classification: TaskSpec) -> None:
    (tmp_path / "train.jsonl").write_text(GOOD)
    (tmp_path / "test.jsonl").write_text('\nbroken\n\n{"text": "x", "label": 0}\n{"text": "y", "label": 7}\n')
    with pytest.raises(DataError, match=r"^test.jsonl line 5: the label '7'"):
        prepare_data(tmp_path, classification, max_bad_rows=1)
