"""A search stage over a stub executor: real decisions, real files, no training."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from autopeft.catalog import load_catalog
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.progress import Silent
from autopeft.domain.trials import SliceResult, Split, TrialRecord
from autopeft.execution.protocol import Executor, Finished, ShouldStop, SliceTask
from autopeft.search.context import SearchContext
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory, write_json
from autopeft.search.sampler import Proposal
from autopeft.search.storage import Study

METHODS = {name: load_catalog().method(name) for name in ("lora", "ia3", "houlsby")}
PLAN = TrainingPlan(batch_size=8, full_steps=90, rung_steps=(10, 30, 90), seeds=(0,), autocast=None, rung_rows=16)
Slice = Callable[[SliceTask], SliceResult]


def learn(task: SliceTask) -> SliceResult:
    """LoRA with a high rate is good here; more steps help."""
    rate = float(cast(float, task.spec.hyperparameters["learning_rate"]))
    loss = abs(rate - 1e-2) + (0.0 if task.spec.method == "lora" else 0.5) + 1.0 / task.to_step
    return SliceResult(task.to_step, loss, 0.01, 0.5, 0.01, (), 0.1, 0.01, 0.11, 1000, 100)


class LonelyStudy:
    """The numbers of a run that works alone, without a database."""

    def next_number(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """The count of trials."""
        return len(records) if limit is None or len(records) < limit else None

    allocate = next_number

    def abandoned(self) -> frozenset[int]:
        """Nobody is gone."""
        return frozenset()

    def take_over(self, number: int) -> bool:
        """There is nothing to take."""
        return False

    def peers(self) -> list[TrialRecord]:
        """Nobody else is there."""
        return []

    def started(self, records: Sequence[TrialRecord]) -> None:
        """Nobody is told."""

    def advanced(self, record: TrialRecord) -> None:
        """Nobody is told."""

    finished = started

    def close(self) -> None:
        """There is nothing to let go of."""


class StubExecutor:
    """Gives made-up results at once."""

    slots = 1

    def __init__(self, run_slice: Slice = learn) -> None:
        self._run_slice = run_slice
        self._tasks: list[SliceTask] = []

    def submit(self, task: SliceTask) -> None:
        """Take it."""
        self._tasks.append(task)

    def wait(self, should_stop: ShouldStop) -> Finished:
        """Its made-up result."""
        task = self._tasks.pop(0)
        return Finished(task, self._run_slice(task), 0.11)


def stub_context(
    folder: Path, run_slice: Slice = learn, study: Callable[[], Study] | None = None, **asked: Any
) -> SearchContext:
    """A context whose slices are made up."""
    run = RunDirectory.create(folder)
    request = SearchRequest(model="stub", dataset="stub", task="stub", **{"trials": 12, **asked})
    write_json(run.path / "plan.json", {"request": request.to_dict()})
    started = time.monotonic()
    return SearchContext(
        request=request,
        plan=PLAN,
        metric="accuracy",
        maximize=True,
        row_metric="accuracy",
        methods=METHODS,
        searched=tuple(METHODS),
        starts=tuple(
            Proposal(name, {knob.name: knob.default for knob in method.knobs}) for name, method in METHODS.items()
        ),
        control=None,
        split=lambda proposal: Split(),
        test_rows=10,
        validation_rows=16,
        max_length=8,
        study=study or LonelyStudy,
        run=run,
        executor=cast(Executor, StubExecutor(run_slice)),
        ledger=Ledger(run.path / "ledger.json", clock=time.monotonic, started=started, timestamp="now"),
        observer=Silent(),
    )
