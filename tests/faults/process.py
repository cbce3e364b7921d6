"""The command line in a process of its own, forked from one that has imported everything, over made-up training.

Everything above the training is the real thing: the commands, the lock, the stages, the study, the report, and with
workers the pool of processes. Only the reading of a model and its data, and the slices, are made up.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autopeft.api import stages
from autopeft.api.planning import Choice
from autopeft.catalog import load_catalog
from autopeft.cli.main import cli
from autopeft.domain.evaluation import Evaluation
from autopeft.domain.models import ModelSpec
from autopeft.domain.plan import TrainingPlan
from autopeft.domain.trials import SliceResult, Split, TrialSpec
from autopeft.errors import DamagedStateError
from autopeft.execution import pool
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.protocol import Executor, Finished, ShouldStop, SliceTask
from autopeft.reporting import write
from autopeft.search.sampler import Proposal
from tests.faults import stand_in
from tests.faults.disturbances import Operations
from tests.faults.session import Session

SEEDS = (0, 1)
# Of a made-up worker that hangs; the real ones are given longer.
IDLE_SECONDS = 3.0


def conduct(session: Session) -> None:
    """Run the command and end this process as it would."""
    with suppress(OSError):
        os.setpgid(0, 0)
    stream = os.open(session.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(stream, descriptor)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    os.environ.update(session.environment)
    operations = Operations(session.folder, session.at)
    operations.install()
    status = 70
    try:
        with stand_in_for(session):
            cli.main(list(session.words), prog_name="autopeft")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    count = operations.count
    print(f"operations: {count}", flush=True)
    os._exit(status)


@contextmanager
def stand_in_for(session: Session) -> Iterator[None]:
    """Put what is made up in the place of what is real, in this process."""
    made_up: list[tuple[Any, str, Any]] = [
        (stages, "_prepare", lambda run, *rest: _prepared(run.path)),
        (stages, "make_executor", lambda run, request, *rest: _executor(session, run.path, request.workers, rest[-1])),
        (stages, "keep_for_later", lambda *known: None),
        (stages, "_load_lines", lambda *prepared: lambda method, adapter: []),
    ]
    if not session.pictures:
        made_up.append((write, "draw_pictures", lambda report: {}))
    real = [getattr(module, name) for module, name, _ in made_up]
    for module, name, value in made_up:
        setattr(module, name, value)
    yield
    for (module, name, _), value in zip(made_up, real, strict=True):
        setattr(module, name, value)


def _executor(session: Session, run: Path, workers: int, observer: Any) -> Executor:
    if workers == 0:
        return StandInExecutor(session.fails)
    script = session.log.with_suffix(".sh")
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -W ignore -m tests.faults.stand_in_worker\n")
    script.chmod(0o755)
    sys.executable = str(script)
    pool.IDLE_SECONDS = IDLE_SECONDS
    setup = WorkerSetup("made-up", "made-up", "made-up", {})
    return pool.WorkerPool(setup, workers, run / "workers", note=observer.note)


class StandInExecutor:
    """Made-up slices in this process.

    Args:
        fails: see `Session`.
    """

    slots = 1

    def __init__(self, fails: tuple[str, str] | None) -> None:
        self._fails = fails
        self._tasks: list[SliceTask] = []

    def submit(self, task: SliceTask) -> None:
        """See `Executor.submit`."""
        self._tasks.append(task)

    def wait(self, should_stop: ShouldStop) -> Finished:
        """See `Executor.wait`."""
        task = self._tasks.pop(0)
        try:
            return Finished(task, self._train(task), 0.11)
        except DamagedStateError as error:
            return Finished(task, None, 0.11, error.message)

    def _train(self, task: SliceTask) -> SliceResult:
        if self._fails is None or task.spec.method != self._fails[0]:
            return stand_in.train(task)
        failure = self._fails[1]
        if failure == "oom":
            return SliceResult.failed(task.from_step, "MemoryError: none left", wall_seconds=0.1, failure="oom")
        return SliceResult.failed(task.from_step, failure, wall_seconds=0.1)

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """See `Executor.test`."""
        return stand_in.evaluation(stand_in.load(folder, step))

    def export(self, spec: TrialSpec, folder: Path, step: int, target: Path) -> None:
        """See `Executor.export`."""
        stand_in.export(spec, stand_in.load(folder, step), target)

    def close(self) -> None:
        """See `Executor.close`."""


def _prepared(run: Path) -> Any:
    """What a search stands on, without a model."""
    catalog = load_catalog()
    methods = {name: catalog.method(name) for name in stand_in.METHODS}
    starts = tuple(Proposal(name, {knob.name: knob.default for knob in one.knobs}) for name, one in methods.items())
    rungs = stand_in.RUNGS
    plan = TrainingPlan(8, stand_in.FULL_STEPS, rungs, SEEDS, autocast=None, rung_rows=stand_in.ROWS)
    rows = {"train": 64, "validation": stand_in.ROWS, "test": stand_in.ROWS}
    data = SimpleNamespace(rows=rows, max_length=8, pad_id=0, fingerprint="made-up", label_rows={"no": 32, "yes": 32})
    data.to_dict = lambda: {"rows": rows, "labels": data.label_rows, "fingerprint": data.fingerprint, "notes": []}
    return SimpleNamespace(
        subject=SimpleNamespace(
            model=ModelSpec("made-up", {"pad_token_id": 0}, run), task=catalog.task("sequence-classification")
        ),
        loaded=SimpleNamespace(encoded=data),
        worker=SimpleNamespace(plan=plan, methods=methods, data=data, device=SimpleNamespace(type="cpu")),
        choice=Choice(stand_in.METHODS, starts, starts[0], ()),
        pricing=SimpleNamespace(
            base_parameters=1000, device="cpu", split=lambda proposal: Split(), known_peak_bytes=lambda *_: 2048
        ),
        baselines=[],
    )
