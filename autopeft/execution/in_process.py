"""Slices run in this process, on one loaded base model."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.execution.protocol import ShouldStop
from autopeft.memory.measure import measure_step
from autopeft.modeling.adapter_files import save_adapter
from autopeft.modeling.step import build_optimizer
from autopeft.training.checkpoint import load_checkpoint
from autopeft.training.evaluation import evaluate
from autopeft.training.slice import run_slice
from autopeft.training.worker import Worker


class InProcessExecutor:
    """The simplest executor: one worker, this process.

    Args:
        worker: the loaded base and the data.
        measure: whether a trial's second step runs under the memory tracker.
    """

    def __init__(self, worker: Worker, *, measure: bool = True) -> None:
        self.worker = worker
        self._measure: Callable[[Callable[[], object]], int] | None = measure_step if measure else None

    def run_slice(
        self, spec: TrialSpec, folder: Path, *, from_step: int, to_step: int, should_stop: ShouldStop
    ) -> SliceResult:
        """See `Executor.run_slice`."""
        return run_slice(
            self.worker,
            spec,
            folder,
            from_step=from_step,
            to_step=to_step,
            should_stop=should_stop,
            measure_step=self._measure,
        )

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """See `Executor.test`."""
        model = self._trained(spec, folder, step)
        return evaluate(model, self.worker.evaluation("test"), autocast=None, device=self.worker.device)

    def export(self, spec: TrialSpec, folder: Path, step: int, target: Path) -> None:
        """See `Executor.export`."""
        save_adapter(self._trained(spec, folder, step), target)

    def _trained(self, spec: TrialSpec, folder: Path, step: int) -> nn.Module:
        model = self.worker.build(spec)
        load_checkpoint(folder / "checkpoint", step, model, build_optimizer(model, spec.hyperparameters))
        return model.eval()
