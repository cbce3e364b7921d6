"""What holds for a run whatever has befallen it."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from autopeft.domain.trials import SliceResult
from autopeft.search.run_directory import RunDirectory
from tests.faults import stand_in

MEASURED_BY_A_CLOCK = {"seconds", "train_seconds", "seconds_per_step", "evaluation_row_seconds"}
COMPARED = ("status", "trials", "confirmed", "verdict", "seeds", "metric", "data", "pareto")
ORPHANS_END_SECONDS = 60.0


def kept_slices(run: Path) -> dict[str, list[str]]:
    """Folder of a trial -> the whole lines of its events."""
    paths = [*run.glob("trials/*/events.jsonl"), *run.glob("confirm/*/events.jsonl")]
    return {str(path.parent.relative_to(run)): path.read_text().rpartition("\n")[0].splitlines() for path in paths}


def slices_are_their_trials(run: Path) -> None:
    """Each trial's slices go from rung to rung, and each is what its configuration gives: nothing is mixed."""
    for folder in RunDirectory(run).all_folders():
        if not (folder.path / "events.jsonl").exists():
            continue
        spec, _ = folder.spec()
        kept = [piece for piece in folder.slices() if piece.error is None]
        assert [piece.to_step for piece in kept] == list(stand_in.RUNGS[: len(kept)]), folder.path
        for piece in kept:
            state = stand_in.state_after(spec, piece.to_step)
            assert _numbers(piece) == _numbers(stand_in.result_of(spec, piece.to_step, state)), folder.path


def _numbers(piece: SliceResult) -> tuple[Any, ...]:
    return piece.to_step, piece.validation_loss, piece.validation_metric, piece.train_losses, piece.row_scores


def everything_agrees(run: Path) -> None:
    """A finished run: result, report, study and folders say the same, and nothing half-written lies about."""
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "finished"
    records = [folder.record() for folder in RunDirectory(run).trials()]
    assert [trial["number"] for trial in result["trials"]] == [record.spec.number for record in records]
    for trial, record in zip(result["trials"], records, strict=True):
        assert [rung["step"] for rung in trial["rungs"]] == [piece.to_step for piece in record.slices]
        assert trial["hyperparameters"] == dict(record.spec.hyperparameters)
        assert (trial["state"] in ("failed", "oom")) == (record.state in ("failed", "oom"))
    told, told_losses = _study(run)
    assert told == ["FAIL" if record.state in ("failed", "oom") else "COMPLETE" for record in records]
    good = [record for record in records if record.state not in ("failed", "oom")]
    for loss, record in zip(told_losses, good, strict=True):  # as the search ended: the confirm stage went on
        assert loss in [piece.validation_loss for piece in record.slices]
    for name in ("report.html", "report.md", "leaderboard.csv", "best_adapter/adapter_model.safetensors"):
        assert (run / name).stat().st_size > 0, name
    left = [path for path in run.rglob("*") if path.name.endswith(".tmp")]
    assert not left, left


def _study(run: Path) -> tuple[list[str], list[float]]:
    """State of each trial in the study, and the losses of those that are complete."""
    with closing(sqlite3.connect(run / "study.db")) as study:
        states = study.execute("SELECT state FROM trials ORDER BY number").fetchall()
        values = study.execute(
            "SELECT value FROM trial_values JOIN trials USING (trial_id) ORDER BY trials.number"
        ).fetchall()
    return [state for (state,) in states], [value for (value,) in values]


def nobody_is_left(search: int, clock: Callable[[], float]) -> None:
    """Within a minute every process of the search's group has ended."""
    deadline = clock() + ORPHANS_END_SECONDS
    while _group(search):
        assert clock() < deadline, f"processes are left behind: {_group(search)}"
        time.sleep(0.02)


def _group(leader: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == leader and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def files(run: Path) -> dict[str, str]:
    """Digest of each file of a run."""
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }


def comparable(run: Path) -> dict[str, object]:
    """What two equal searches share: everything of the result that no clock measured, and the adapter's digest."""
    result = json.loads((run / "result.json").read_text())
    adapter = (run / "best_adapter" / "adapter_model.safetensors").read_bytes()
    text = json.dumps({name: _without_times(result[name]) for name in COMPARED}).replace(str(run), "RUN")
    return {**json.loads(text), "adapter": hashlib.sha256(adapter).hexdigest()}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(part) for name, part in value.items() if name not in MEASURED_BY_A_CLOCK}
    return [_without_times(part) for part in value] if isinstance(value, list) else value
