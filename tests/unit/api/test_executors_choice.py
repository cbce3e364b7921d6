"""Which devices workers get, and who runs them, as asked: with devices that are made up."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autopeft.api.conduct import conduct_fields
from autopeft.api.executors import chosen_devices, seats, worker_budget_bytes
from autopeft.api.search import request_of
from autopeft.errors import MissingDependencyError, UsageError
from autopeft.execution import ray_session
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.pool import WorkerPool


@pytest.fixture
def four_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_the_first_of_the_visible_devices_are_used(four_devices: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_devices(None) == ["0", "1", "2", "3"]
    assert chosen_devices(2) == ["0", "1"]
    # Where only some are to be seen, those are meant, by the names that they have there.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-ab,7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert chosen_devices(2) == ["5", "GPU-ab"]


@pytest.mark.parametrize(("there", "shown"), [(0, "no CUDA device"), (2, "2 CUDA devices")])
def test_more_devices_than_there_are_is_told(monkeypatch: pytest.MonkeyPatch, there: int, shown: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(MissingDependencyError, match=f"--gpus 3, but this machine shows {shown}") as refusal:
        chosen_devices(3)
    assert refusal.value.exit_code == 5


def test_each_worker_sees_its_own_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real processes, asked of the system what they were given; they need not load anything for that."""
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nwhile read line; do :; done\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    pool = WorkerPool(WorkerSetup("m", "t", "d", {}), 3, tmp_path, devices=["0", "GPU-ab"], note=print)
    try:
        seen = [_environment(process_id)["CUDA_VISIBLE_DEVICES"] for process_id in pool.process_ids]
    finally:
        pool.close()
    assert seen == ["0", "GPU-ab", "0"]


def _environment(process_id: int) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while True:  # for a moment at its start, the system shows none
        entries = Path(f"/proc/{process_id}/environ").read_bytes().decode().split("\0")
        found = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def test_a_worker_for_each_device_unless_said_otherwise() -> None:
    assert conduct_fields({"gpus": 3})["workers"] == 3
    assert conduct_fields({"gpus": 3, "workers": 6})["workers"] == 6
    assert conduct_fields({})["workers"] == 0
    assert conduct_fields({"gpus": 4, "gpus_per_trial": 2})["workers"] == 2
    assert conduct_fields({"gpus_per_trial": 2})["workers"] == 1


def test_trials_on_several_devices_get_some_of_their_own(four_devices: None) -> None:
    request, _ = request_of({"gpus": 4, "gpus_per_trial": 2, "gpu_mem": "8GB"})
    assert seats(request) == ["0,1", "2,3"]
    assert worker_budget_bytes(request) == 8_000_000_000, "of each device"
    with pytest.raises(MissingDependencyError, match="3 trials at a time on 2 GPUs each, but there are 4"):
        seats(replace(request, workers=3))
    paid = replace(request, device_seconds=100.0)
    assert paid.paid_device_seconds == 50.0, "each second of a worker takes two of devices"


def test_workers_on_one_device_share_its_memory(four_devices: None) -> None:
    request, _ = request_of({"gpus": 2, "workers": 4, "gpu_mem": "8GB"})
    assert worker_budget_bytes(request) == 4_000_000_000
    assert worker_budget_bytes(replace(request, workers=2)) == 8_000_000_000
    assert worker_budget_bytes(replace(request, workers=3)) == 4_000_000_000, "some sit on one, and all may use alike"


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        ({"gpus": 0}, "--gpus 0", "at least 1"),
        ({"engine": "slurm"}, "no engine 'slurm'", "processes, ray"),
        ({"engine": "ray"}, "needs a number of workers", "--workers"),
        ({"engine": "ray", "workers": 2, "gpus": 2}, "counts this machine's devices", "--gpus-per-trial"),
        ({"ray_address": "auto"}, "--ray-address goes with", "engine"),
        ({"gpus_per_trial": 0.5}, "a share of a GPU goes with", "engine"),
        ({"engine": "ray", "workers": 1, "gpus_per_trial": 2.5}, "--gpus-per-trial 2.5", "on several"),
        ({"gpus": 3, "gpus_per_trial": 2}, "--gpus 3", "multiple"),
        ({"gpus_per_trial": 2, "base_precision": "nf4"}, "cannot be divided over 2 GPUs", "leave it"),
    ],
)
def test_engines_and_devices_that_make_no_sense_are_refused(options: dict[str, Any], error: str, hint: str) -> None:
    with pytest.raises(UsageError) as refusal:
        request_of(options)
    assert error in refusal.value.message
    assert hint in str(refusal.value.hint)


def test_ray_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # Python's own way to say that an import fails
    with pytest.raises(MissingDependencyError, match="needs Ray") as refusal:
        ray_session.connected("auto", 1, 1)
    assert "autopeft[ray]" in str(refusal.value.hint)
