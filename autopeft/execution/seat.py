"""A place for a worker of a pool: who sits there, what it works on, and whether its answer makes sense."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autopeft.domain.trials import SliceResult
from autopeft.execution.protocol import SliceTask
from autopeft.execution.worker_process import NONSENSE, WorkerDied, WorkerProcess


@dataclass(slots=True)
class Seat:
    """A place for a worker, and the slice that it works on.

    Attributes:
        worker: in the place.
        task: being run, or None.
        began: on the clock: when a ready worker had the task.
        first_began: likewise, before anything was repeated.
        deaths: of workers over this task.
        stillborn: workers in a row that died before they were ready.
        stop_sent: on the clock, or None.
        number: of the last question to the worker, which its answer repeats.
    """

    worker: WorkerProcess
    task: SliceTask | None = None
    began: float = 0.0
    first_began: float | None = None
    deaths: int = 0
    stillborn: int = 0
    stop_sent: float | None = None
    number: int = 0

    def ask(self, message: Mapping[str, Any]) -> None:
        """Send a question under the next number."""
        self.number += 1
        self.worker.send({**message, "number": self.number})


def sensible_result(seat: Seat, plain: Any) -> SliceResult:
    """What a worker says that its slice gave.

    Raises:
        WorkerDied: that is none, or not of that slice.
    """
    try:
        result = SliceResult.from_dict(plain)
        whole = result.to_step == seat.task.to_step if seat.task else False
        if not (whole and isinstance(result.validation_loss, float)) and not isinstance(result.error, str):
            raise ValueError("not what was asked for")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WorkerDied(NONSENSE) from error
    return result
