"""How long a step takes where a trial's model is divided over several devices: measured by such a group."""

import shutil
from dataclasses import replace
from pathlib import Path

from autopeft.api.executors import make_executor
from autopeft.domain.plan import SearchRequest
from autopeft.domain.progress import Observer
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import RunError
from autopeft.execution.protocol import Executor, SliceTask
from autopeft.search.run_directory import RunDirectory
from autopeft.training.probe import Probe
from autopeft.training.worker import Worker

PROBED_STEPS = 5


def probed_by_group(
    run: RunDirectory,
    request: SearchRequest,
    worker: Worker,
    model_folder: Path,
    spec: TrialSpec,
    observer: Observer,
) -> Probe:
    """Train a few steps and evaluate once, in a group of its own; the first step's warming up is in the mean.

    A written answer is taken to cost a pass over its row for each token that it may have, which is the most.

    Raises:
        RunError: that failed.
    """
    steps = min(PROBED_STEPS, worker.plan.full_steps)
    executor = make_executor(run, replace(request, workers=1), worker, model_folder, observer)
    result = _slice(executor, SliceTask(spec, run.path / "probe", 0, steps), run.path / "workers")
    whole = len(worker.data.splits["validation"])
    rows = whole if steps == worker.plan.full_steps else len(worker.rung_rows)
    row_seconds = result.evaluation_seconds / rows
    tokens = 0 if worker.tokenizer is None else worker.data.max_target_length or 1
    return Probe(result.train_seconds / steps, row_seconds, row_seconds * tokens)


def _slice(executor: Executor, task: SliceTask, logs: Path) -> SliceResult:
    """The slice's result; nothing of it stays on the disk."""
    try:
        executor.submit(task)
        result = executor.wait(lambda task: False).result
    finally:
        executor.close()
        shutil.rmtree(task.folder, ignore_errors=True)
    if result is None or result.error is not None:
        why = "it was given up" if result is None else result.error
        raise RunError(
            f"the step that is timed failed on the devices together: {why}",
            hint=f"see {logs}, and say with --gpu-mem how much each device has",
        )
    return result
