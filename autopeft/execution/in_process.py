"""Slices run in this process, on one loaded base model."""

import time
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from torch import nn

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import DamagedStateError, RunError
from autopeft.execution.protocol import Finished, ShouldStop, SliceTask, over_time
from autopeft.memory.measure import measure_step
from autopeft.modeling.adapter_files import save_adapter
from autopeft.modeling.step import build_optimizer
from autopeft.training.checkpoint import load_checkpoint
from autopeft.training.evaluation import evaluate
from autopeft.training.slice import SliceAbandoned, run_slice
from autopeft.training.worker import Worker


class InProcessExecutor:
    """The simplest executor: one worker, this process.

    Args:
        worker: the loaded base and the data.
        measure: whether a trial's second step runs under the memory tracker.
    """

    slots = 1

    def __init__(self, worker: Worker, *, measure: bool = True) -> None:
        self.worker = worker
        # The CPU's tracker would not see what a group of processes gathers.
        seen = measure and (worker.ranks is None or worker.device.type == "cuda")
        self._measure: Callable[[Callable[[], object]], int] | None = measure_step if seen else None
        self._task: SliceTask | None = None

    def submit(self, task: SliceTask) -> None:
        """See `Executor.submit`."""
        assert self._task is None, "one slice at a time"
        self._task = task

    def wait(self, should_stop: ShouldStop) -> Finished:
        """See `Executor.wait`; this is where the slice runs."""
        task, self._task = self._task, None
        assert task is not None, "nothing was submitted"
        began = time.perf_counter()
        limit = float("inf") if task.limit_seconds is None else began + task.limit_seconds
        try:
            result: SliceResult | None = self.run(task, lambda: time.perf_counter() > limit or should_stop(task))
        except DamagedStateError as error:
            return Finished(task, None, time.perf_counter() - began, error.message)
        except SliceAbandoned:
            seconds = time.perf_counter() - began
            result = over_time(task, seconds) if time.perf_counter() > limit else None
        return Finished(task, result, time.perf_counter() - began)

    def run(self, task: SliceTask, should_stop: Callable[[], bool]) -> SliceResult:
        """Run one slice now.

        Raises:
            SliceAbandoned: `should_stop` said so.
            DamagedStateError: the checkpoint cannot be used.
            RunError: the disk is full or not writable.
        """
        return run_slice(
            self.worker,
            task.spec,
            task.folder,
            from_step=task.from_step,
            to_step=task.to_step,
            should_stop=should_stop,
            measure_step=self._measure,
            restart=task.restart,
        )

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """See `Executor.test`."""
        worker = self.worker
        model = self._restored(worker.build(spec), spec, folder, step)
        reader = worker.reader("test")
        batches = worker.evaluation("test")
        return evaluate(model, batches, autocast=None, device=worker.device, reader=reader, ranks=worker.ranks)

    def export(self, spec: TrialSpec, folder: Path, step: int, target: Path) -> None:
        """See `Executor.export`."""
        model = self._restored(self.worker.build_whole(spec), spec, folder, step)
        try:
            save_adapter(model, target)
        except (OSError, SafetensorError) as error:
            raise RunError(f"cannot write {target}: {error}", hint="make room, then `autopeft resume`") from error

    def close(self) -> None:
        """See `Executor.close`."""
        self._task = None

    def _restored(self, model: nn.Module, spec: TrialSpec, folder: Path, step: int) -> nn.Module:
        load_checkpoint(folder / "checkpoint", step, model, build_optimizer(model, spec.hyperparameters))
        return model.eval()
