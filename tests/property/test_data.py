"""Whatever a user's file holds: prepared rows, or one DataError; never another exception."""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autopeft.data.batches import training_order
from autopeft.data.cells import read_cell
from autopeft.data.chat import conversation_of
from autopeft.data.files import read_file
from autopeft.data.load import PreparedData, prepare_data
from autopeft.data.rows import Rows
from autopeft.data.splits import make_splits
from autopeft.domain.tasks import CellKind, TaskSpec
from autopeft.errors import DataError

TASK = TaskSpec(
    id="sequence-classification",
    title="",
    objective="classification",
    head="sequence-classification",
    peft_task_type="SEQ_CLS",
    metric="accuracy",
    maximize=True,
    columns={"text": ("text",), "label": ("label",)},
    optional_columns=(),
    architectures=("encoder",),
    default_batch_size=8,
    default_max_length=64,
)

texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
cells = st.one_of(texts, st.sampled_from(["", " ", '"', "a,b", "line\nbreak", "\r", "\u2028", "nan", "\ufeff"]))
values = st.one_of(
    cells,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.lists(st.integers(), max_size=2),
    st.just("\ud800"),
    st.dictionaries(texts, st.integers(), max_size=1),
)


def prepared(name: str, raw: bytes, **options: Any) -> PreparedData | DataError:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(raw)
        try:
            return prepare_data(path, TASK, **options)
        except DataError as error:
            assert "\n" not in error.message
            return error


def check(outcome: PreparedData | DataError) -> None:
    if isinstance(outcome, DataError):
        return
    held = [set(rows.identities()) for rows in outcome.rows.values()]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    for split, rows in outcome.rows.items():
        assert len(rows) == len(outcome.labels[split]) > 0
        assert all(text.strip() for text in rows.texts["text"])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.json", "a.jsonl", "a.txt", "a.csv.gz", "a.parquet"]))
def test_any_bytes(raw: bytes, name: str) -> None:
    check(prepared(name, raw))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='ab,;"\n\r\t{}[]:1 ', max_size=80), st.sampled_from(["a.csv", "a.tsv", "a.json", "a.jsonl"]))
def test_nearly_right_text(text: str, name: str) -> None:
    check(prepared(name, f"text,label\n{text}".encode() if name == "a.csv" else text.encode()))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(cells, cells), max_size=30), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_csv_as_the_csv_module_writes_it_comes_back(rows: list[tuple[str, str]], mark: bool, end: str) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *rows])
    raw = stream.getvalue().encode("utf-8-sig" if mark else "utf-8")
    check(prepared("a.csv", raw))
    if rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.csv"
            path.write_bytes(raw)
            assert list(zip(*(read_file(path).rows[name][:] for name in ("text", "label")), strict=True)) == rows


@settings(max_examples=100, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional={"text": values, "label": values, "other": values}), max_size=30))
def test_json_lines_of_any_values(rows: list[dict[str, Any]]) -> None:
    check(prepared("a.jsonl", "\n".join(json.dumps(row) for row in rows).encode()))
    check(prepared("a.json", json.dumps(rows).encode()))


@settings(max_examples=60, deadline=None)
@given(bad=st.integers(0, 30), blank=st.sampled_from(["", " ", None]), role=st.sampled_from(["text", "label"]))
def test_bad_rows_are_dropped_counted_or_refused(bad: int, blank: str | None, role: str) -> None:
    rows: list[dict[str, Any]] = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(200)]
    for row in rows[:bad]:
        row[role] = blank
    outcome = prepared("a.jsonl", "\n".join(map(json.dumps, rows)).encode())
    if bad > 10:
        assert isinstance(outcome, DataError)
        assert f"{bad} of 200 rows lack" in outcome.message
    else:
        assert isinstance(outcome, PreparedData)
        assert sum(map(len, outcome.rows.values())) == 200 - bad
        assert any(f"{bad} of 200 rows were left out" in note for note in outcome.notes) == (bad > 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["good", "broken", "missing", "blank", "nested"]), min_size=30, max_size=80))
def test_no_row_vanishes(kinds: list[str]) -> None:
    lines = {
        "broken": lambda n: '{"text": ',
        "missing": lambda n: json.dumps({"label": "a"}),
        "blank": lambda n: "",
        "nested": lambda n: json.dumps({"text": f"text {n}", "label": "ab"[n % 2], "more": {"a": [n, {"b": None}]}}),
        "good": lambda n: json.dumps({"text": f"text {n}", "label": "ab"[n % 2]}),
    }
    raw = "\n".join(lines[kind](n) for n, kind in enumerate(kinds)).encode()
    outcome = prepared("a.jsonl", raw, max_bad_rows=len(kinds))
    if isinstance(outcome, PreparedData):
        kept = sum(map(len, outcome.rows.values()))
        assert kept == sum(kind in ("good", "nested") for kind in kinds)
        assert outcome.left_out == sum(kind in ("broken", "missing") for kind in kinds)
        assert any(f"{outcome.left_out} of {kept + outcome.left_out} rows" in note for note in outcome.notes) == (
            outcome.left_out > 0
        )


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(get_args(CellKind)), st.recursive(values, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
)
def test_a_cell_of_any_kind_is_read_missing_or_refused_in_one_line(kind: CellKind, value: Any) -> None:
    try:
        read_cell(kind, value, ("a", "b"), "here")
    except DataError as error:
        assert error.message.startswith("here")
        assert "\n" not in error.message


turns = st.lists(
    st.one_of(
        values,
        st.fixed_dictionaries(
            {}, optional={"role": st.sampled_from(["user", "assistant", "system", None, "x"]), "content": values}
        ),
        st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt"]), "value": cells}),
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(turns)
def test_conversations_end_with_an_answer(given_turns: list[Any]) -> None:
    try:
        conversation = conversation_of(given_turns, "here")
    except DataError as error:
        assert error.message.startswith("here") and "\n" not in error.message
        return
    if conversation is not None:
        assert conversation.messages[-1].role == "assistant"
        assert len(conversation.messages) + conversation.cut == len(given_turns)


@settings(max_examples=40, deadline=None)
@given(
    groups=st.lists(st.integers(0, 12), min_size=10, max_size=120),
    copies=st.lists(st.integers(0, 40), min_size=120, max_size=120),
    seed=st.integers(0, 99),
    by_group=st.booleans(),
)
def test_what_belongs_together_is_never_parted(groups: list[int], copies: list[int], seed: int, by_group: bool) -> None:
    texts = tuple(f"text {copy}" for copy in copies[: len(groups)])
    rows = Rows(
        {"text": texts}, None, tuple(range(1, len(groups) + 1)), groups=tuple(map(str, groups)) if by_group else None
    )
    try:
        splits, _ = make_splits({"train": rows}, seed=seed, allow_overlap=True)
    except DataError as error:
        assert "one group" in error.message or "no row left" in error.message
        return
    owners = [set(part.groups or part.texts["text"]) for part in splits.values()]
    assert not owners[0] & owners[1] and not owners[0] & owners[2] and not owners[1] & owners[2]
    assert sum(map(len, splits.values())) == len(groups)


@settings(max_examples=80, deadline=None)
@given(
    labels=st.lists(st.sampled_from("abcde"), min_size=5, max_size=200),
    cap=st.integers(1, 200),
    seed=st.integers(0, 2**31),
)
def test_splits_part_the_rows_and_train_keeps_every_class(labels: list[str], cap: int, seed: int) -> None:
    rows = Rows({"text": tuple(map(str, range(len(labels))))}, tuple(labels), tuple(range(1, len(labels) + 1)))
    splits, _ = make_splits({"train": rows}, seed=seed)
    assert sorted(n for part in splits.values() for n in part.numbers) == list(rows.numbers)
    capped, _ = make_splits({"train": rows}, seed=seed, max_train_rows=cap)
    assert len(capped["train"]) == min(cap, len(splits["train"]))
    assert set(capped["train"].numbers) <= set(splits["train"].numbers)
    assert len(set(capped["train"].labels or ())) == min(cap, len(set(splits["train"].labels or ())))
    assert set(splits["train"].labels or ()) == set(labels) or len(set(labels)) > len(splits["train"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 64), st.integers(0, 99))
def test_an_epoch_is_a_permutation(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = training_order(len(lengths), np.array(lengths), batch_size, seed, epoch=seed % 3)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
