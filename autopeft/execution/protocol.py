"""The seam between deciding (search) and training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec


@dataclass(frozen=True, slots=True)
class SliceTask:
    """One slice to run.

    Attributes:
        spec: what to train.
        folder: of the trial; its `checkpoint/` holds the state.
        from_step: of the checkpoint to go on from; 0 starts from scratch.
        to_step: optimizer steps done in all when the slice ends.
        limit_seconds: the most it may take, or None.
        restart: the checkpoint is lost: the steps up to `from_step` are trained once more, and count for nothing else.
    """

    spec: TrialSpec
    folder: Path
    from_step: int
    to_step: int
    limit_seconds: float | None = None
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A slice that has ended.

    Attributes:
        task: what was submitted.
        result: what it gave; None where it was abandoned and nothing of it was kept.
        wall_seconds: from its submission to its end, what was repeated included.
        lost: why the checkpoint that it should go on from cannot be used, or None; there is no result then.
    """

    task: SliceTask
    result: SliceResult | None
    wall_seconds: float
    lost: str | None = None


ShouldStop = Callable[[SliceTask], bool]


class Executor(Protocol):
    """Runs slices of trials; holds the base model and the data.

    Attributes:
        slots: slices that run at a time.
    """

    slots: int

    def submit(self, task: SliceTask) -> None:
        """Take a slice; at most `slots` may be on their way."""
        ...

    def wait(self, should_stop: ShouldStop) -> Finished:
        """The next slice that ends; one must be on its way.

        What goes wrong inside the trial, and taking longer than its limit, comes back as `error` in the result.

        Args:
            should_stop: asked from time to time for each slice; one that it names is abandoned.

        Raises:
            RunError: the disk is full or not writable, or no worker can be started.
        """
        ...

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """The test split under the checkpoint at `step`, in float32.

        Raises:
            DamagedStateError: the checkpoint cannot be used.
        """
        ...

    def export(self, spec: TrialSpec, folder: Path, step: int, target: Path) -> None:
        """Write the checkpoint at `step` as a normal adapter folder.

        Raises:
            DamagedStateError: the checkpoint cannot be used.
            RunError: the disk is full or not writable.
        """
        ...

    def close(self) -> None:
        """Let go of everything; slices on their way are given up."""
        ...


def over_time(task: SliceTask, wall_seconds: float) -> SliceResult:
    """The result of a slice that took longer than it may."""
    error = f"took longer than the {task.limit_seconds:.0f} s that were left of its time limit"
    return SliceResult.failed(task.from_step, error, wall_seconds=wall_seconds)
