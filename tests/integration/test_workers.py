"""Searches with worker processes: the same numbers as without, and nothing lost whoever is killed."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autopeft.api.run import SearchResult
from autopeft.api.search import resume
from tests.integration.conftest import small_search
from tests.integration.test_resume import METHODS, TRIALS, comparable, finished_slices, start_search, wait_for_slices

Start = Callable[..., "subprocess.Popen[bytes]"]


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of its worker processes."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(one) for one in children if b"autopeft.execution.child" in Path(f"/proc/{one}/cmdline").read_bytes()]


def gone(process_id: int) -> bool:
    """Whether the process has ended."""
    try:
        return "State:\tZ" in Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return True


@pytest.fixture
def start(tiny_bert: Path, sst2: Path) -> Iterator[Start]:
    """Starts searches in processes of their own, which end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(run: Path, *more: str) -> "subprocess.Popen[bytes]":
        started.append(start_search(run, tiny_bert, sst2, *more))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def undisturbed(tiny_bert: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    output = tmp_path_factory.mktemp("runs") / "undisturbed"
    return small_search(model=tiny_bert, train=str(sst2), methods=METHODS, trials=TRIALS, output=output, seed=5)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["parent", "worker", "both"])
def test_one_worker_gives_the_same_numbers_whoever_is_killed(
    who: str, undisturbed: SearchResult, start: Start, tmp_path: Path
) -> None:
    run = tmp_path / "killed"
    process = start(run, "--workers=1")
    wait_for_slices(run, process, 3)
    workers = workers_of(process)
    assert len(workers) == 1
    before = finished_slices(run)
    if who != "parent":
        os.kill(workers[0], signal.SIGKILL)
    if who != "worker":
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 60
    while not gone(workers[0]):
        assert time.monotonic() < deadline, "a worker outlived its search"
        time.sleep(0.05)
    if who == "worker":
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
        assert b"killed by SIGKILL" in errors
    resumed = resume(run)
    after = finished_slices(run)
    assert all(after[folder][: len(lines)] == lines for folder, lines in before.items())
    assert comparable(resumed) == comparable(undisturbed)


@pytest.mark.slow
def test_two_workers_lose_no_trial_when_everything_is_killed(start: Start, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    process = start(run, "--workers=2")
    wait_for_slices(run, process, 4)
    for one in (*workers_of(process), process.pid):
        os.kill(one, signal.SIGKILL)
    process.wait()
    before = finished_slices(run)
    resumed = resume(run, workers=2)
    after = finished_slices(run)
    assert all(after[folder][: len(lines)] == lines for folder, lines in before.items())
    assert [trial["number"] for trial in resumed.result["trials"]] == list(range(TRIALS))
    assert all(trial["state"] in ("finished", "stopped") for trial in resumed.result["trials"])
    budget = resumed.result["budget"]
    assert budget["workers"] == 2
    assert sum(budget["work"].values()) == pytest.approx(budget["worker_seconds"])
    assert budget["work"]["overhead"] > 0


@pytest.mark.slow
def test_a_second_interrupt_stops_at_once_and_leaves_no_worker(start: Start, tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    process = start(run, "--workers=1", "--full-steps=100000")
    deadline = time.monotonic() + 300
    while not (run / "trials" / "0000").exists():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (worker,) = workers_of(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert gone(worker)
    assert (run / "report.html").exists()
    assert Counter(len(lines) for lines in finished_slices(run).values()) == Counter()
