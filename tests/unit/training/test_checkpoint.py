"""A checkpoint is what was written, or it is refused."""

from pathlib import Path

import pytest
import torch

from autopeft.errors import DamagedStateError
from autopeft.training.checkpoint import load_tensors, save_tensors

TENSORS = {"b": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3), "a": torch.tensor(3.0), "none": torch.zeros(0)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_tensors(TENSORS, tmp_path / "state.safetensors")
    return tmp_path / "state.safetensors"


def test_it_comes_back_as_it_was(path: Path) -> None:
    loaded = load_tensors(path)
    assert loaded.keys() == TENSORS.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in TENSORS.items())


def test_every_changed_bit_is_found_out(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            loaded = load_tensors(path)
        except DamagedStateError:
            continue
        # What only pads the header says nothing.
        assert all(torch.equal(loaded[name], tensor) for name, tensor in TENSORS.items()), at


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_file_that_was_cut_is_found_out(kept: int, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamagedStateError, match="cannot read"):
        load_tensors(path)


def test_a_file_that_is_gone_is_found_out(path: Path) -> None:
    path.unlink()
    with pytest.raises(DamagedStateError, match="cannot read"):
        load_tensors(path)
