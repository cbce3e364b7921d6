"""The table of devices is complete, consistent in itself, and refuses nonsense."""

import shutil
from pathlib import Path

import pytest

from autopeft.catalog import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.domain.hardware import HardwareSpec
from autopeft.errors import CatalogError, UsageError

CATALOG = load_catalog()
GPUS = [one for one in CATALOG.gpus.values() if one.generation != "cpu"]
# Each is at least as fast as the one before it in every figure.
LADDERS = [
    ("t4", "v100-16gb", "h100-80gb", "b200"),
    ("t4", "a10g", "rtx-4090", "rtx-5090"),
    ("l4", "l40s", "b200"),
    ("a100-40gb", "a100-80gb", "h100-80gb", "h200", "b200"),
]


def test_every_promised_device_is_there() -> None:
    promised = ("T4", "V100", "A10G", "L4", "L40S", "RTX 3090", "RTX 4090", "RTX 5090", "A100 40GB", "A100 80GB")
    for name in (*promised, "H100", "H200", "B200", "CPU"):
        assert CATALOG.gpu(name).title


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("NVIDIA L40S", "l40s"),
        ("rtx4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("a100", "a100-80gb"),
        ("V100_32GB", "v100-32gb"),
    ],
)
def test_a_device_is_found_as_people_write_it(name: str, found: str) -> None:
    assert CATALOG.gpu(name).id == found


def test_a_typing_error_gets_the_nearest_device() -> None:
    with pytest.raises(UsageError, match="'l40z'") as caught:
        CATALOG.gpu("l40z")
    assert "l40s" in str(caught.value.hint)


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.id)
def test_figures_of_a_gpu_are_plausible(gpu: HardwareSpec) -> None:
    assert gpu.usable_bytes is not None and gpu.total_bytes is not None
    assert 0.9 < gpu.usable_bytes / gpu.total_bytes <= 1
    assert gpu.flops_per_second.keys() == {"float32", "float16", "bfloat16"}
    assert gpu.flops_per_second["float16"] >= gpu.flops_per_second["bfloat16"] >= gpu.flops_per_second["float32"]
    assert 1e11 < gpu.achieved_bandwidth < gpu.bandwidth_bytes_per_second < 1e13
    assert gpu.sources


@pytest.mark.parametrize("ladder", LADDERS, ids=lambda ladder: ladder[-1])
def test_newer_and_larger_devices_are_faster(ladder: tuple[str, ...]) -> None:
    for slower, faster in zip(map(CATALOG.gpu, ladder), map(CATALOG.gpu, ladder[1:]), strict=False):
        assert faster.bandwidth_bytes_per_second >= slower.bandwidth_bytes_per_second
        assert faster.flops_per_second["float16"] >= slower.flops_per_second["float16"]
        # What two devices of 80 GB report differs by a few MB either way.
        assert (faster.usable_bytes or 0) >= 0.99 * (slower.usable_bytes or 0)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("bandwidth: 0.84", "bandwidth: 1.2", "achieved_share.bandwidth"),
        ("bfloat16: 3.6205e+14\n", "", "flops_per_second.bfloat16"),
        ("usable_bytes: ", "usable_bytes: 9", "usable_bytes must lie between"),
        ("generation: ada", "generation: ada\npower: 350", "power: unknown field"),
    ],
)
def test_a_broken_device_file_is_refused_with_its_field(tmp_path: Path, old: str, new: str, fault: str) -> None:
    root = tmp_path / "search_spaces"
    shutil.copytree(search_spaces_root(), root)
    path = root / "gpus" / "l40s.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_catalog(root)
    assert "gpus/l40s.yaml:" in caught.value.message
    assert fault in caught.value.message
