"""What trackers write is read back by their own readers; a broken tracker ends nothing."""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from autopeft.domain.callbacks import SliceEnded
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import MissingDependencyError, UsageError
from autopeft.tracking import trackers
from autopeft.tracking.backends import wandb as wandb_backend
from autopeft.tracking.background import LEAST_SECONDS, Background
from autopeft.tracking.content import state_of

# The clients warn of their own dependencies; in the tests a warning would end their thread.
pytestmark = pytest.mark.filterwarnings("ignore")

RATE = 0.0123
RESULT: dict[str, Any] = {
    "status": "finished",
    "asked": {"model": "tiny-model", "seed": 3, "budget_seconds": None, "command": "autopeft search"},
    "best": {"test_metric": 0.75, "test_loss": None, "validation_mean": 0.7, "adapter_bytes": 12},
    "trials": [
        {
            "number": 0,
            "state": "stopped",
            "method": "lora",
            "hyperparameters": {"learning_rate": RATE, "target": "attention"},
            "rungs": [{"step": 20, "validation_loss": 0.5, "validation_metric": 0.75}],
        }
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory with a finished trial and an adapter."""
    run = tmp_path / "a-run"
    for name in ("trials/0000/spec.json", "result.json", "report.html", "best_adapter/adapter_config.json"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("{}", "utf-8")
    return run


def ended(run: Path, to_step: int, loss: float = 0.5, error: str | None = None) -> SliceEnded:
    spec = TrialSpec(0, "lora", {"learning_rate": RATE, "target": "attention"}, seed=3)
    curve = ((to_step - 5, loss + 0.2), (to_step, loss + 0.1))
    result = SliceResult(to_step, loss, 0.01, 0.75, 0.01, curve, 0.1, 0.01, 0.11, 1000, 100, error=error)
    return SliceEnded("trials/0000", "search", spec, result, run / "trials" / "0000")


def told(name: str, run: Path, *slices: SliceEnded) -> list[str]:
    """What the tracker said while it was told of the slices and of the end."""
    pytest.importorskip(name)
    lines: list[str] = []
    [tracker] = trackers.open_trackers([name], run, lines.append)
    for one in slices:
        tracker.slice_ended(one)
    tracker.search_ended(RESULT, run)
    assert not [line for line in lines if "told nothing more" in line or "left behind" in line]
    return lines


def test_mlflow_has_a_run_for_the_trial_below_the_search(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run.parent / 'mlflow.db'}")
    told("mlflow", run, ended(run, 10, 0.9))
    monkeypatch.setitem(RESULT["asked"], "command", "autopeft resume a-run")
    told("mlflow", run, ended(run, 20))  # after a resume, in the same runs
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("autopeft")
    assert experiment is not None
    found = {one.info.run_name: one for one in client.search_runs([experiment.experiment_id])}
    trial, search = found["trial 0: lora"], found["a-run"]
    assert len(found) == 2 and trial.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert trial.data.params == {"method": "lora", "seed": "3", "learning_rate": str(RATE), "target": "attention"}
    assert trial.data.tags["autopeft.state"] == "stopped" and trial.info.status == "FINISHED"
    curve = client.get_metric_history(trial.info.run_id, "validation_loss")
    assert [(point.step, point.value) for point in curve] == [(10, 0.9), (20, 0.5)]
    assert search.data.metrics["best_test_metric"] == 0.75 and search.data.params["model"] == "tiny-model"
    assert search.data.params["command"] == "autopeft search" and search.info.status == "FINISHED"
    files = {file.path for file in client.list_artifacts(search.info.run_id)}
    assert {"report.html", "result.json", "best_adapter"} <= files
    assert [file.path for file in client.list_artifacts(trial.info.run_id)] == ["spec.json"]


def test_tensorboard_reads_the_curve_and_the_hyperparameters(run: Path) -> None:
    told("tensorboard", run, ended(run, 10, 0.9))
    told("tensorboard", run, ended(run, 20))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trial = EventAccumulator(str(run / "tensorboard" / "trials" / "0000")).Reload()
    losses = [(point.step, round(point.value, 3)) for point in trial.Scalars("validation_loss")]
    assert losses == [(10, 0.9), (20, 0.5)]
    assert [point.step for point in trial.Scalars("train_loss")] == [5, 10, 15, 20]
    start = trial.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"learning_rate" in start and b"stopped" in start
    search = EventAccumulator(str(run / "tensorboard" / "search")).Reload()
    assert search.Scalars("best_test_metric")[0].value == 0.75


def test_wandb_works_offline_where_nobody_logged_in(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(run / "no-netrc"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR"):
        monkeypatch.setenv(name, str(run / name))
    lines = told("wandb", run, ended(run, 10, 0.9), ended(run, 20))
    assert "offline" in lines[0]
    trial = {b"trial 0: lora", b"learning_rate", str(RATE).encode(), b"validation_loss", b"stopped", b"spec.json"}
    search = {b"best_test_metric", b"adapter_config.json", b"result.json", b"tiny-model"}
    for _ in range(100):  # its own process may still be writing
        contents = [file.read_bytes() for file in (run / "wandb").glob("offline-run-*/*.wandb")]
        lacking = [
            min((parts - {part for part in parts if part in one} for one in contents), key=len)
            for parts in (trial, search)
        ]
        if not any(lacking):
            break
        time.sleep(0.1)
    assert len(contents) == 2 and not any(lacking)


def test_wandb_is_given_the_files_of_a_trial_that_failed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "trials" / "0000" / "error.txt").write_text("it broke", "utf-8")
    client = MagicMock(**{"init.side_effect": lambda **asked: MagicMock(id=asked["id"], summary={})})
    monkeypatch.setitem(sys.modules, "wandb", client)
    tracker: Any = wandb_backend.opened(run, lambda line: None)
    tracker.slice_ended(ended(run, 10, error="it broke"))
    trial = tracker._open["trials/0000"]
    tracker.search_ended(RESULT, run)
    assert trial.summary == {"error": "it broke", "state": "stopped"}
    trial.finish.assert_called_once_with(exit_code=1)
    kept = {call.args[0] for call in client.Artifact.return_value.add_file.call_args_list}
    assert str(run / "trials" / "0000" / "error.txt") in kept


def test_wandb_goes_online_for_who_has_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    login = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(login))
    assert wandb_backend.mode() == "offline"
    login.write_text("machine api.wandb.ai login user password something\n", "utf-8")
    assert wandb_backend.mode() is None


@pytest.mark.parametrize("name", trackers.tracker_names())
def test_a_trackers_module_needs_its_package_only_when_it_is_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda package: None)
    with pytest.raises(MissingDependencyError) as refusal:
        trackers.require_tracker(name)
    assert f"autopeft[{name}]" in refusal.value.hint


def test_a_tracker_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(UsageError) as refusal:
        trackers.require_tracker("clearml")
    assert all(name in refusal.value.hint for name in ("mlflow", "tensorboard", "wandb"))


class _Broken:
    """Fails at the second slice."""

    def __init__(self) -> None:
        self.calls = 0

    def slice_ended(self, ended: SliceEnded) -> None:
        self.calls += 1
        if self.calls == 2:
            raise ConnectionError("the server\nis gone")

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        self.calls += 1


def test_what_a_tracker_raises_is_said_once_and_it_is_told_nothing_more(run: Path) -> None:
    broken, lines = _Broken(), []  # type: tuple[_Broken, list[str]]
    background = Background("broken", lambda note: broken, lines.append)
    for step in (10, 20, 30):
        background.slice_ended(ended(run, step))
    background.search_ended(RESULT, run)
    assert lines == ["broken is told nothing more: ConnectionError: the server is gone"]
    assert broken.calls == 2


@pytest.mark.parametrize("refuse", [SystemExit, OSError])
def test_a_tracker_that_cannot_be_opened_is_said(run: Path, refuse: type[BaseException]) -> None:
    def opened(note: Callable[[str], None]) -> Any:
        raise refuse("no server")

    lines: list[str] = []
    background = Background("absent", opened, lines.append)
    background.slice_ended(ended(run, 10))
    background.search_ended(RESULT, run)
    assert lines == [f"absent is told nothing more: {refuse.__name__}: no server"]


def test_a_tracker_that_hangs_delays_the_end_only_so_long(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    waited: list[float] = []

    def opened(note: Callable[[str], None]) -> Any:
        release.wait()
        return _Broken()

    lines: list[str] = []
    background = Background("slow", opened, lines.append, last_seconds=0.2)
    background.slice_ended(ended(run, 10))
    background.search_ended(RESULT, run)
    assert lines == ["slow has not taken everything within 0 s: left behind"]
    hurried = Background("slow", opened, lines.append, left_seconds=lambda: -5.0)
    monkeypatch.setattr(hurried._thread, "join", waited.append)
    hurried.search_ended(RESULT, run)
    release.set()
    assert waited == [LEAST_SECONDS], "the budget is used up: a tracker may not hold it back for long"


def test_a_confirm_run_that_was_stopped_midway_is_not_called_finished(run: Path) -> None:
    key, stopped = "confirm/0000-1", RESULT | {"status": "interrupted", "budget": {"full_steps": 20}}
    folder = run / key
    assert state_of(stopped, key, folder) == "paused"
    folder.mkdir(parents=True)
    for to_step, state in ((10, "paused"), (20, "finished")):
        with open(folder / "events.jsonl", "a", encoding="utf-8") as events:
            events.write(json.dumps(ended(run, to_step).result.to_dict()) + "\n")
        assert state_of(stopped, key, folder) == state
    assert state_of(RESULT | {"status": "finished"}, key, run / "elsewhere") == "finished"
