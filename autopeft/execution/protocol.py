"""The seam between deciding (search) and training."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec

ShouldStop = Callable[[], bool]


class Executor(Protocol):
    """Runs slices of trials; holds the base model and the data."""

    def run_slice(
        self, spec: TrialSpec, folder: Path, *, from_step: int, to_step: int, should_stop: ShouldStop
    ) -> SliceResult:
        """Train from the checkpoint at `from_step` (0: from scratch) to `to_step` and evaluate.

        What goes wrong inside the trial comes back as `error` in the result.

        Raises:
            SliceAbandoned: `should_stop` said so; nothing of the slice was kept.
            RunError: the disk is full or not writable.
        """
        ...

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """The test split under the checkpoint at `step`, in float32."""
        ...

    def export(self, spec: TrialSpec, folder: Path, step: int, target: Path) -> None:
        """Write the checkpoint at `step` as a normal adapter folder."""
        ...
