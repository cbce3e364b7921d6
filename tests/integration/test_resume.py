"""Stops of every kind lose nothing, and the same seed gives the same search."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from autopeft.api.run import SearchResult
from autopeft.api.search import resume
from autopeft.errors import RunInterrupted
from autopeft.search.stop import Stop
from tests.integration.conftest import SMALL, small_search

METHODS = ["lora", "bitfit", "houlsby", "ia3"]
TRIALS = 6
TIMES = {"seconds", "train_seconds", "seconds_per_step", "evaluation_row_seconds"}


def without_times(value: Any) -> Any:
    """A result without what a clock measured."""
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name not in TIMES}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def comparable(run: SearchResult) -> dict[str, Any]:
    kept = ("trials", "confirmed", "baselines", "verdict", "seeds", "metric", "data")
    return {name: without_times(run.result[name]) for name in kept}


@pytest.fixture(scope="module")
def undisturbed(tiny_bert: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    output = tmp_path_factory.mktemp("runs") / "undisturbed"
    return small_search(model=tiny_bert, train=str(sst2), methods=METHODS, trials=TRIALS, output=output, seed=5)


def test_the_same_seed_gives_the_same_trials_and_scores(
    undisturbed: SearchResult, tiny_bert: Path, sst2: Path, tmp_path: Path
) -> None:
    again = small_search(
        model=tiny_bert, train=str(sst2), methods=METHODS, trials=TRIALS, output=tmp_path / "again", seed=5
    )
    assert comparable(again) == comparable(undisturbed)


def test_another_seed_gives_another_search(
    undisturbed: SearchResult, tiny_bert: Path, sst2: Path, tmp_path: Path
) -> None:
    other = small_search(
        model=tiny_bert, train=str(sst2), methods=METHODS, trials=TRIALS, output=tmp_path / "other", seed=6
    )
    assert comparable(other)["trials"] != comparable(undisturbed)["trials"]


def start_search(run: Path, model: Path, data: Path, *more: str) -> subprocess.Popen[bytes]:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    command = [sys.executable, "-m", "autopeft.cli.main", "search", f"--model={model}", f"--dataset={data}"]
    command += [f"--methods={','.join(METHODS)}", f"--trials={TRIALS}", f"--output={run}", "--seed=5", *options, *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished_slices(run: Path) -> dict[str, list[str]]:
    """Trial folder -> whole lines of its events."""
    paths = [*run.glob("trials/*/events.jsonl"), *run.glob("confirm/*/events.jsonl")]
    return {str(path.parent.relative_to(run)): path.read_text().rpartition("\n")[0].splitlines() for path in paths}


def wait_for_slices(run: Path, process: subprocess.Popen[bytes], count: int) -> None:
    deadline = time.monotonic() + 300
    while sum(map(len, finished_slices(run).values())) < count:
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline, "the search made no progress"
        time.sleep(0.01)


@pytest.mark.parametrize("slices", [1, 5, 9])
def test_a_search_killed_in_the_middle_goes_on_as_if_nothing_had_been(
    slices: int, undisturbed: SearchResult, tiny_bert: Path, sst2: Path, tmp_path: Path
) -> None:
    run = tmp_path / "killed"
    process = start_search(run, tiny_bert, sst2)
    wait_for_slices(run, process, slices)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = finished_slices(run)
    resumed = resume(run)
    after = finished_slices(run)
    for folder, lines in before.items():
        assert after[folder][: len(lines)] == lines
    numbers = [trial["number"] for trial in resumed.result["trials"]]
    assert numbers == list(range(TRIALS))
    assert comparable(resumed) == comparable(undisturbed)
    assert len(resumed.result["budget"]["sessions"]) == 2


def test_an_interrupted_search_writes_its_report_and_goes_on(
    undisturbed: SearchResult, tiny_bert: Path, sst2: Path, tmp_path: Path
) -> None:
    run = tmp_path / "interrupted"
    process = start_search(run, tiny_bert, sst2)
    wait_for_slices(run, process, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors.decode()
    assert b"hint: `autopeft resume" in errors
    assert b"Traceback" not in errors
    partial = json.loads((run / "result.json").read_text())
    assert partial["status"] == "interrupted"
    assert partial["best"] is None
    assert (run / "report.html").exists()
    assert comparable(resume(run)) == comparable(undisturbed)


def test_a_stop_asked_for_in_python_is_the_same(tiny_bert: Path, sst2: Path, tmp_path: Path) -> None:
    stop = Stop(requested=True)
    with pytest.raises(RunInterrupted):
        small_search(model=tiny_bert, train=str(sst2), methods=["bitfit"], trials=1, output=tmp_path / "run", stop=stop)
    assert resume(tmp_path / "run").result["status"] == "finished"
