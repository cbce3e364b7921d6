"""Files that are larger than memory, or made to hurt: bounded, refused early, one line that says where."""

import gzip
import json
from pathlib import Path

import pyarrow
import pytest

from autopeft.data import spool
from autopeft.data.bad_rows import BadRows
from autopeft.data.files import read_file
from autopeft.data.sources import read_source
from autopeft.errors import DataError


def refused(path: Path, says: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read_source(path)
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_gigabytes_without_a_line_end_are_refused_early(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"one.{suffix}"
    with open(path, "wb") as stream:
        stream.write(b'[{"text": "')
        stream.truncate(4 * 10**9)  # sparse: takes no room
    refused(path, "line 1 is longer than 64 MiB")


def test_gigabytes_of_json_in_one_piece_are_refused_early(tmp_path: Path) -> None:
    path = tmp_path / "lines.json"
    with open(path, "wb") as stream:
        stream.write(b'[\n{"text": "a"},\n')
        stream.truncate(4 * 10**9)
    refused(path, "one piece of more than 256 MiB")


def test_a_gzip_bomb_stops_when_it_has_grown_too_far(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(70):
            stream.write((b"a" * 100_000 + b",b\n") * 10)
    assert path.stat().st_size < 200_000
    refused(path, "unpacks to more than 200 times its size")


@pytest.mark.parametrize("depth", [40, 900, 100_000])
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_deep_nesting_is_text_or_refused(tmp_path: Path, depth: int, suffix: str) -> None:
    path = tmp_path / f"deep.{suffix}"
    row = '{"text": "a", "more": ' + "[" * depth + "]" * depth + "}"
    path.write_text(f"[{row}]" if suffix == "json" else row)
    if depth < 100_000:
        assert read_source(path)["train"]["more"][0].startswith("[[[")
    else:
        refused(path, "nested too deep")


def test_links_out_of_a_folder_are_refused(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.csv").write_text("text\na\n")
    (folder / "train.csv").symlink_to(outside / "secret.csv")
    refused(folder, "leads out of the folder")
    (folder / "train.csv").unlink()
    for name in ("train", "data"):
        (folder / name).symlink_to(outside)
        refused(folder, "leads out of the folder")
        (folder / name).unlink()


def test_links_within_a_folder_are_followed(tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text("text\na\n")
    (tmp_path / "train.csv").symlink_to("kept.csv")
    assert read_source(tmp_path)["train"]["text"][:] == ["a"]


@pytest.mark.parametrize("limit", [None, 10**6])
def test_what_ends_a_file_early_is_no_bad_row(
    tmp_path: Path, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who allows bad rows still learns that the rest of the file was not read."""
    from autopeft.data import opening

    monkeypatch.setattr(opening, "MAX_LINE_BYTES", 1000)
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,b\n" + "x" * 2000 + ",b\nc,d\n")
    with pytest.raises(DataError, match="line 3 is longer than"):
        read_file(path, bad=BadRows(limit))


def test_an_open_quote_names_the_line_where_it_opens(tmp_path: Path) -> None:
    path = tmp_path / "open.csv"
    path.write_text('text,label\na,b\n"open,b\n' + "c,d\n" * 1000)
    refused(path, "open.csv line 3")


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_bytes("text,label\na,b\n".encode("utf-16"))
    refused(path, "wide.csv line 1: UTF-16 text")


def test_ten_megabyte_cells_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("text,label\n" + ("x" * 10**7 + ",a\n") * 2)
    assert [len(text) for text in read_source(path)["train"]["text"]] == [10**7] * 2


def test_what_outgrows_memory_lies_in_mapped_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    with open(path, "w") as stream:
        stream.writelines(json.dumps({"id": row, "text": f"{row} " + "word " * 100}) + "\n" for row in range(40_000))
    monkeypatch.setattr(spool, "MAX_MEMORY_BYTES", 2**21)
    before = pyarrow.total_allocated_bytes()
    table = read_file(path).rows
    held = pyarrow.total_allocated_bytes() - before
    assert table.data.nbytes > 2e7
    assert held < 2**23  # one chunk, where the first crosses the bound
    assert table["id"][:] == list(range(40_000))
    assert not list(tmp_path.glob("autopeft-*"))


@pytest.mark.parametrize("on_disk", [False, True])
def test_chunks_that_hold_other_types_become_one_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_disk: bool
) -> None:
    rows = [{"a": 1}, {"a": 2.5, "late": ["x"]}, {"b": {"x": 1}}, {"a": None, "b": {"y": "z"}}]
    monkeypatch.setattr(spool, "_CHUNK_ROWS", 1)
    monkeypatch.setattr(spool, "MAX_MEMORY_BYTES", 0 if on_disk else 2**20)
    numbers = tmp_path / "numbers.jsonl"
    numbers.write_text("\n".join(map(json.dumps, rows)))
    table = read_source(numbers)["train"]
    assert table["a"][:] == [1.0, 2.5, None, None]
    assert table["late"][:] == [None, ["x"], None, None]
    assert table["b"][2:] == [{"x": 1, "y": None}, {"x": None, "y": "z"}]
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text('{"a": 1}\n{"a": "x"}\n{"a": true}\n{"a": [1]}\n')
    assert read_source(mixed)["train"]["a"][:] == ["1", "x", "true", "[1]"]


def test_no_room_for_temporary_files_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autopeft.errors import RunError

    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n')
    monkeypatch.setattr(spool, "MAX_MEMORY_BYTES", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(RunError, match="no room in") as caught:
        read_source(path)
    assert "TMPDIR" in str(caught.value.hint)


def test_files_of_a_split_may_differ_in_their_columns(tmp_path: Path) -> None:
    (tmp_path / "train-0.jsonl").write_text('{"text": "a", "label": 1}\n')
    (tmp_path / "train-1.jsonl").write_text('{"text": "b", "label": "x", "more": 2}\n')
    table = read_source(tmp_path)["train"]
    assert table["label"][:] == ["1", "x"]
    assert table["more"][:] == [None, 2]
