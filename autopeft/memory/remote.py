"""Pricing in a second process: tracing is Python work on one core, and so is importing what it needs."""

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import IO, Self

from autopeft.catalog import load_catalog
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.memory.estimate import Kept, Question, TracingEstimator
from autopeft.memory.worker import as_plain


class WorkerGone(Exception):
    """The other process ended or answered nonsense; what it was asked must be asked elsewhere."""


class RemoteTracer:
    """An `Estimator` that traces in a process of its own and shares what is known with a local one.

    The process starts at once and imports while this one does; it is a fresh interpreter and no fork, since torch
    has threads. Use it as a context manager: on leaving, the process is ended, whatever it is doing.

    Args:
        local: whose catalogue, device and cache count. Its catalogue must be the shipped one.
    """

    def __init__(self, local: TracingEstimator) -> None:
        self._local = local
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "autopeft.memory.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        try:
            self._say({"device": local.device, "padded": local.padded, "compute_capability": local.compute_capability})
        except WorkerGone:
            self.__exit__(None, None, None)
            raise

    @staticmethod
    def can_stand_in_for(estimator: object) -> bool:
        """Whether a process of its own would answer as `estimator` does: it reads the shipped catalogue."""
        return isinstance(estimator, TracingEstimator) and estimator.catalog is load_catalog()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)

    def __call__(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> MemoryEstimate:
        """The estimate, as the local estimator would make it.

        Raises:
            ModelError: as for the local estimator.
            WorkerGone: the process has ended.
        """
        return self._local.answer(Question(model, task, method, hyperparameters, shape), self._ask)

    def _ask(self, question: Question) -> Kept:
        self._say(as_plain(question))
        assert self._process.stdout is not None  # a pipe was asked for
        try:
            answer: Kept = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise WorkerGone(f"the pricing process gave no answer: {error}") from error
        return answer

    def _say(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None  # a pipe was asked for
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise WorkerGone(f"the pricing process takes no question: {error}") from error


def _close(pipe: IO[str]) -> None:
    try:
        pipe.close()
    except OSError:  # what was still unsaid cannot be said any more
        return
