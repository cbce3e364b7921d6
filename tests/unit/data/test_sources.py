import gzip
import json
from pathlib import Path

import datasets
import pytest

from autopeft.data.sources import Reading, read_source, read_tables
from autopeft.errors import DataError

CONTENT = {
    "rows.csv": 'text,label\n"one, two",a\n"say ""hi""\nthere",b\n',
    "rows.tsv": "text\tlabel\none, two\ta\nthree\tb\n",
    "semicolons.csv": "text;label\none, two;a\nthree;b\n",
    "bom.csv": "\ufefftext,label\none,a\ntwo,b\n",
    "crlf.csv": "text,label\r\none,a\r\n\r\ntwo,b\r\n",
    "rows.jsonl": '{"text": "one", "label": "a"}\n\n{"label": "b", "text": "two"}\n',
    "rows.json": '[{"text": "one", "label": "a"}, {"text": "two", "label": "b"}]',
    "wrapped.json": '{"data": [{"text": "one", "label": "a"}, {"text": "two", "label": "b"}]}',
    "columns.json": '{"text": ["one", "two"], "label": ["a", "b"]}',
    "lines.json": '{"text": "one", "label": "a"}\n{"text": "two", "label": "b"}\n',
}


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_two_columns(tmp_path: Path, name: str, zipped: bool) -> None:
    raw = CONTENT[name].encode("utf-8")
    path = tmp_path / (name + ".gz" if zipped else name)
    path.write_bytes(gzip.compress(raw, mtime=0) if zipped else raw)
    table = read_source(path)["train"]
    assert set(table.column_names) == {"text", "label"}
    assert table["label"][:] == ["a", "b"]


def test_quoted_cells_keep_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(CONTENT["rows.csv"])
    assert read_source(str(path))["train"]["text"][:] == ["one, two", 'say "hi"\nthere']


def test_cells_beyond_the_csv_modules_limit_are_read(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(f"text,label\n{'x' * 200_000},a\n")
    assert len(read_source(path)["train"]["text"][0]) == 200_000


def test_parquet_and_declared_classes(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    table = datasets.Dataset.from_dict({"text": ["one", "two"], "label": [1, 0]}, features=features)
    datasets.disable_progress_bars()
    table.to_parquet(tmp_path / "rows.parquet")
    read = read_source(tmp_path / "rows.parquet")["train"]
    assert read["label"][:] == [1, 0]
    assert read.features["label"].names == ["no", "yes"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "empty"),
        ("blank.jsonl", b"\n \n", "empty"),
        ("header.csv", b"text,label\n", "no rows"),
        ("broken.jsonl", b'{"text": "a"}\n{"text": \n', "line 2: broken JSON"),
        ("list.jsonl", b'{"text": "a"}\n[1]\n', "line 2: a list"),
        ("broken.json", b'[{"text": ', "broken JSON"),
        ("number.json", b"17", "neither a list of objects nor columns"),
        ("ragged.csv", b"text,label\na,b\na,b,c\n", "line 3: 3 cells"),
        ("quote.csv", b'text,label\n"a,b\n', "line 2"),
        ("twice.csv", b"text,text\na,b\n", "'text' twice"),
        ("latin.csv", "text,label\nna\u00efve,a\n".encode("latin-1"), "line 2: not UTF-8"),
        ("cut.csv.gz", gzip.compress(b"text,label\na,b\n", mtime=0)[:-9], "gzip"),
        ("plain.csv.gz", b"text,label\na,b\n", "gzip"),
        ("fake.parquet", b"text,label\na,b\n", "Parquet"),
        ("null.jsonl", b'{"text": "a"}\n{"\\u0000x": "b"}\n', "null character"),
        ("surrogate.jsonl", b'{"text": "ok"}\n{"text": "\\ud800"}\n', "row 2: 'text' holds text that is no valid"),
    ],
)
def test_messy_files_get_one_line_with_the_place_and_a_hint(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_source(path)
    assert name in caught.value.message
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["nowhere.csv", "./nowhere", "/no/such/folder"])
def test_a_missing_path_is_said_to_be_missing(name: str) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        read_source(name)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionError("Couldn't reach 'x/y' on the Hub\nmore"), "cannot be had from the hub: Couldn't reach"),
        (RuntimeError("Dataset scripts are no longer supported, but found y.py"), "code of its own"),
        (ValueError("Config name is missing.\nPlease pick one"), "several configurations"),
        (PermissionError("Dataset 'x/y' is a gated dataset on the Hub."), "is gated"),
    ],
)
def test_hub_failures_are_one_line_with_a_hint(monkeypatch: pytest.MonkeyPatch, error: Exception, says: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DataError) as caught:
        read_source("x/y")
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_without_a_hub_there_is_one_error_at_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    from autopeft.data import hub

    monkeypatch.setattr(hub, "_reachable", lambda _: False)
    for place in (constants, datasets.config):
        monkeypatch.setattr(place, "HF_HUB_OFFLINE", False)
    with pytest.raises(DataError, match="cannot be had from the hub"):
        read_source("nobody/no-such-data")
    assert capfd.readouterr() == ("", "")
    assert not constants.HF_HUB_OFFLINE
    assert not datasets.config.HF_HUB_OFFLINE


def test_splits_may_have_any_name_that_the_user_says() -> None:
    table = datasets.Dataset.from_dict({"text": ["a"]})
    source = datasets.DatasetDict({"sft": table, "heldout_x": table})
    found = read_tables(source, Reading(splits={"train": "sft", "test": "heldout_x"}))
    assert list(found) == ["train", "test"]
    with pytest.raises(DataError, match="no split 'none'; there are sft, heldout_x"):
        read_tables(source, Reading(splits={"train": "none"}))


def test_files_may_have_any_name_that_the_user_says(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(f"text\n{name}\n")
    found = read_tables(tmp_path, Reading(splits={"train": "one", "test": "two.csv"}))
    assert {split: table.data["text"][:] for split, table in found.items()} == {
        "train": ["one.csv"],
        "test": ["two.csv"],
    }
    with pytest.raises(DataError, match="no data file three"):
        read_tables(tmp_path, Reading(splits={"train": "three"}))


@pytest.mark.parametrize(
    "name", ["TRAIN.csv", "train_data.csv", "my-train.csv", "train-00000-of-00001.csv", "reviews.train.csv"]
)
def test_splits_are_found_in_names_as_people_write_them(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("text\na\n")
    (tmp_path / "reviews_dev.csv").write_text("text\nb\n")
    assert set(read_source(tmp_path)) == {"train", "validation"}


def test_a_frame_with_twice_the_same_column_is_refused() -> None:
    import pandas

    with pytest.raises(DataError, match="'text' twice"):
        read_source(pandas.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_a_hub_id_may_name_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def load(*arguments: object, **_: object) -> datasets.DatasetDict:
        asked.append(arguments)
        table = datasets.Dataset.from_dict({"text": ["a"]})
        return datasets.DatasetDict({"train": table, "validation_matched": table, "unsupervised": table})

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert list(read_source("nyu-mll/glue:mnli")) == ["train", "validation"]
    assert asked == [("nyu-mll/glue", "mnli")]


@pytest.mark.parametrize("word", ["validation", "valid", "val", "dev"])
def test_folders_name_their_splits(tmp_path: Path, word: str) -> None:
    (tmp_path / "README.md").write_text("not data")
    for name, text in {"train": "one", word: "two", "test": "three"}.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": text}))
    tables = read_source(tmp_path)
    assert {split: table["text"][:] for split, table in tables.items()} == {
        "train": ["one"],
        "validation": ["two"],
        "test": ["three"],
    }


def test_shards_are_joined_in_order_also_below_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number, text in enumerate(["one", "two"]):
        (tmp_path / "data" / f"train-0000{number}-of-00002.csv").write_text(f"text\n{text}\n")
    assert read_source(tmp_path)["train"]["text"][:] == ["one", "two"]


def test_a_saved_dataset_dict_is_read(tmp_path: Path) -> None:
    datasets.disable_progress_bars()
    datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": ["a"]})}).save_to_disk(tmp_path / "saved")
    assert read_source(tmp_path / "saved")["train"]["text"][:] == ["a"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no data file"),
        (["a.csv", "b.csv"], "name no split"),
        (["train.csv", "train.jsonl"], "several formats"),
        (["test.csv"], "no train split"),
    ],
)
def test_unclear_folders_are_refused(tmp_path: Path, names: list[str], says: str) -> None:
    for name in names:
        (tmp_path / name).write_text('{"text": "a"}' if name.endswith("jsonl") else "text\na\n")
    with pytest.raises(DataError, match=says):
        read_source(tmp_path)


def test_text_rows_are_lines_of_one_file_and_whole_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("first\n\nsecond\r\n")
    assert read_source(tmp_path / "one.txt")["train"]["text"][:] == ["first", "second"]
    assert read_source(tmp_path / "one.txt", documents="file")["train"].num_rows == 1
    (tmp_path / "two.txt").write_text("third\nfourth\n")
    assert read_source(tmp_path)["train"].num_rows == 2


def test_tables_in_memory(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"text": ["a", None], "label": [1, 2]})
    assert read_source(frame)["train"]["text"][:] == ["a", None]
    path = tmp_path / "held_out.csv"
    path.write_text("text,label\nb,1\n")
    tables = read_source({"train": frame, "val": path})
    assert {split: table.num_rows for split, table in tables.items()} == {"train": 2, "validation": 1}
    assert read_source({"text": ["a"], "label": ["x"]})["train"].num_rows == 1


@pytest.mark.parametrize("source", [17, {"extra": {"text": ["a"]}}, {}, {"text": ["a"], "label": []}])
def test_nonsense_is_refused(source: object) -> None:
    with pytest.raises(DataError):
        read_source(source)


def test_a_column_of_mixed_types_becomes_text(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"label": 1, "meta": {"a": 1}}\n{"label": "x", "meta": 3}\n{"label": true}\n')
    assert read_source(path)["train"]["label"][:] == ["1", "x", "true"]
