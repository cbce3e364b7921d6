"""What is damaged between two sessions is made again from what is not; limits of disk hold to the end."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

from autopeft.domain.trials import SliceResult, TrialRecord
from autopeft.execution.protocol import Executor, Finished, ShouldStop, SliceTask
from autopeft.search.confirm_stage import choose_entries, confirm_stage
from autopeft.search.disk import used_bytes
from autopeft.search.search_stage import search_stage
from autopeft.search.stop import Stop
from autopeft.search.storage import StudyMirror
from autopeft.training.checkpoint import checkpoint_path
from tests.stub_search import METHODS, StubExecutor, learn, stub_context

CHECKPOINT_BYTES = 100_000


def stored_trials(path: Path) -> int:
    with closing(sqlite3.connect(path)) as study:
        return int(study.execute("SELECT count(*) FROM trials").fetchone()[0])


def searched(folder: Path) -> list[TrialRecord]:
    return search_stage(stub_context(folder, trials=4))[0]


def test_a_damaged_study_is_set_aside_and_written_again(tmp_path: Path) -> None:
    records, path, notes = searched(tmp_path / "run"), tmp_path / "study.db", list[str]()
    path.write_bytes(b"SQLite format 3\0" + b"no database" * 1000)
    study = StudyMirror(path, METHODS, notes.append)
    study.started(records)
    assert stored_trials(path) == 4
    assert "damaged" in notes[0]
    assert (tmp_path / "study.db.damaged").exists()


def test_a_study_that_has_more_trials_than_the_run_is_not_the_runs(tmp_path: Path) -> None:
    records, path, notes = searched(tmp_path / "run"), tmp_path / "study.db", list[str]()
    StudyMirror(path, METHODS).started(records)
    again = StudyMirror(path, METHODS, notes.append)
    again.started(records[:2])
    again.finished(records[:2])
    assert stored_trials(path) == 2
    assert notes


def test_the_confirm_stage_keeps_the_limit_of_the_disk(tmp_path: Path) -> None:
    most: list[int] = []

    def trained(task: SliceTask) -> SliceResult:
        path = checkpoint_path(task.folder / "checkpoint", task.to_step)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * CHECKPOINT_BYTES)
        most.append(used_bytes(tmp_path / "run"))
        return learn(task)

    limit = 5 * CHECKPOINT_BYTES
    context = stub_context(tmp_path / "run", trained, trials=6, top=4, disk_bytes=limit)
    records, _ = search_stage(context)
    confirm_stage(context, records, choose_entries(context, records))
    assert max(most) <= limit


class DamagedExecutor(StubExecutor):
    """Says of every slice that its checkpoint is lost, while somebody asks the search to stop."""

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self._stop = stop

    def wait(self, should_stop: ShouldStop) -> Finished:
        """Lost."""
        self._stop.requested = True
        return Finished(self._tasks.pop(0), None, 0.1, "it is damaged")


def test_a_search_that_is_to_stop_trains_no_lost_trial_again(tmp_path: Path) -> None:
    context = stub_context(tmp_path / "run", trials=4)
    executor = DamagedExecutor(context.stop)
    records, _ = search_stage(replace(context, executor=cast(Executor, executor)))
    assert [record.slices for record in records] == [[]]
    assert executor._tasks == []
