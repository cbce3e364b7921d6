"""Pricing in other processes: tracing is Python work on one core, and so is importing what it needs."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from autopeft.catalog import load_catalog
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.memory.estimate import Kept, Question, TracingEstimator
from autopeft.memory.worker import as_plain

# The processes of a worker share its imports by forking, which is sound on Linux while a process has one thread.
_FORKS = sys.platform == "linux"
# A trace computes nothing, and a library's pool of threads does not survive a fork.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerGone(Exception):
    """The other process ended or answered nonsense; what it was asked must be asked elsewhere."""


class RemoteTracer:
    """An `Estimator` that traces in another process and shares what is known with a local one.

    Args:
        local: whose catalogue, device and cache count. Its catalogue must be the shipped one.
        connection: to a process of `autopeft.memory.worker`.
    """

    def __init__(self, local: TracingEstimator, connection: socket.socket) -> None:
        self._local = local
        self._asked = connection.makefile("w", encoding="utf-8")
        self._answers = connection.makefile("r", encoding="utf-8")
        self._say({"device": local.device, "padded": local.padded, "compute_capability": local.compute_capability})

    @staticmethod
    def can_stand_in_for(estimator: object) -> bool:
        """Whether another process would answer as `estimator` does: it reads the shipped catalogue."""
        return isinstance(estimator, TracingEstimator) and estimator.catalog is load_catalog()

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
        try:
            answer: Kept = json.loads(self._answers.readline())
        except (OSError, ValueError) as error:
            raise WorkerGone(f"the pricing process gave no answer: {error}") from error
        return answer

    def _say(self, message: dict[str, object]) -> None:
        try:
            self._asked.write(json.dumps(message) + "\n")
            self._asked.flush()
        except (OSError, ValueError) as error:
            raise WorkerGone(f"the pricing process takes no question: {error}") from error


@contextmanager
def remote_tracers(local: TracingEstimator, count: int) -> Iterator[list[RemoteTracer]]:
    """So many tracers, each with a process; on leaving, these are ended, whatever they are doing.

    Raises:
        OSError: the system lets no process start, or none that is handed sockets.
        WorkerGone: one ended at once.
    """
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(count)]
        ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        for one in (*ours, *theirs):
            stack.enter_context(one)
        for served in [theirs] if _FORKS else [[one] for one in theirs]:
            stack.callback(_end, _started(served))
        for one in theirs:
            one.close()
        yield [RemoteTracer(local, one) for one in ours]


def _started(sockets: Sequence[socket.socket]) -> subprocess.Popen[bytes]:
    """A process that imports at once and then serves the sockets."""
    if os.name != "posix":
        raise OSError("processes are handed sockets on POSIX systems alone")
    numbers = [one.fileno() for one in sockets]
    path = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "autopeft.memory.worker", *map(str, numbers)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ONE_THREAD | path,
        pass_fds=numbers,
        # A group of its own, by which its forks are ended too.
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
