"""A folder's checksums tell every change of what is loaded from it, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from autopeft.modeling import checksums as module
from autopeft.modeling.checksums import checksums, difference

HEADER = json.dumps({"weight": {"dtype": "U8", "shape": [60_000], "data_offsets": [0, 60_000]}}).encode()
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(range(250)) * 240


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    return folder


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights' file is too large to be read whole."""
    for name, value in {"WHOLE_BYTES": 50_000, "EDGE_BYTES": 500, "SAMPLES": 5, "SAMPLE_BYTES": 100}.items():
        monkeypatch.setattr(module, name, value)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_copy_elsewhere_is_the_same(model: Path) -> None:
    copy = shutil.copytree(model, model.parent / "copy")
    (copy / "config.json").touch()
    assert checksums(copy) == checksums(model)
    link = model.parent / "link"
    link.symlink_to(model)
    assert difference(checksums(model), checksums(link)) is None


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_one_changed_bit_is_named(model: Path, name: str) -> None:
    before = checksums(model)
    flip(model / name, -1)
    assert difference(before, checksums(model)) == f"{name} has changed"


def test_files_that_come_and_go_are_named(model: Path) -> None:
    before = checksums(model)
    (model / "README.md").write_text("no part of what is loaded")
    assert difference(before, checksums(model)) is None
    (model / "added_tokens.json").write_text("{}")
    assert difference(before, checksums(model)) == "added_tokens.json is new"
    assert difference(checksums(model), before) == "added_tokens.json is missing"


@pytest.mark.parametrize("place", [3, 10, 480, -480, -1, 15_040, 30_080])
@pytest.mark.usefixtures("large")
def test_a_large_file_is_read_at_its_header_its_ends_and_between(model: Path, place: int) -> None:
    before = checksums(model)
    assert before["model.safetensors"].startswith("sampled-sha256:")
    flip(model / "model.safetensors", place)
    assert difference(before, checksums(model)) == "model.safetensors has changed"


@pytest.mark.usefixtures("large")
def test_a_large_file_of_another_length_is_another(model: Path) -> None:
    before = checksums(model)
    (model / "model.safetensors").write_bytes(WEIGHTS + WEIGHTS[-1:])
    assert difference(before, checksums(model)) == "model.safetensors has changed"
