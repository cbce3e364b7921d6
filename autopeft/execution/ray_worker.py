"""What runs inside a Ray actor: a worker that loads the base once and answers messages. It knows nothing of Ray."""

import os

from autopeft.errors import AutopeftError
from autopeft.execution.group import executor_from
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.messages import decode, encode
from autopeft.execution.obey import answer_to, refusal


class RayWorker:
    """Messages are JSON in both directions; `stop` may be called while `do` runs."""

    def __init__(self) -> None:
        self._executor: InProcessExecutor | None = None
        self._stopped = 0

    def process_id(self) -> int:
        """Of the process that it sits in."""
        return os.getpid()

    def load(self, setup: bytes) -> bytes:
        """Load model and data; `ready`, or why that cannot be."""
        try:
            self._executor = executor_from(WorkerSetup(**decode(setup)))
        except AutopeftError as error:
            return encode(refusal(error))
        return encode({"ready": True})

    def do(self, message: bytes) -> bytes:
        """Do what is asked, as `answer_to` says; the message's `number` is greater than that of the one before."""
        assert self._executor is not None  # it is asked for something when it has said that it is ready
        asked = decode(message)
        return encode(answer_to(self._executor, asked, lambda: self._stopped >= asked["number"]))

    def stop(self, number: int) -> None:
        """Abandon the slice that this message asked for, at its next step; it may not even have begun."""
        self._stopped = number
