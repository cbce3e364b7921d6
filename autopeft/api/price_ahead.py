"""Pricing on several cores: what is not known yet is shared out over processes beside this one.

The answers are those of one process: each estimate stands for itself, and afterwards all of them are known here.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import Estimator, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import InputError, ModelError, UsageError
from autopeft.memory.estimate import Question, TracingEstimator
from autopeft.memory.remote import RemoteTracer, WorkerGone, remote_tracers

Job = Callable[[Estimator], object]
WORKERS_VARIABLE = "AUTOPEFT_WORKERS"
# Each process holds torch and transformers, about half a gigabyte.
_MOST_WORKERS = 4
# For fewer it is not worth the start of a process (benchmarks/command_times.py); this one, which would only wait, can
# trace them itself.
LEAST_JOBS = 8


def price_ahead(estimator: Estimator, jobs: Sequence[Job]) -> None:
    """Run those of `jobs` that ask something new, on several processes where that pays.

    Args:
        estimator: that will be asked afterwards.
        jobs: each asks the estimator that it is given; they do not depend on each other.

    Raises:
        UsageError: the environment variable `AUTOPEFT_WORKERS` is no number of processes.
    """
    workers = count_workers()
    if workers < 2 or not isinstance(estimator, TracingEstimator) or not RemoteTracer.can_stand_in_for(estimator):
        return
    pending = deque(job for job in jobs if _asks_anew(job, estimator))
    if len(pending) < LEAST_JOBS:
        return
    count = min(workers, len(pending) // (LEAST_JOBS // 2))
    # A machine that lets no process start is slower, and no reason to fail.
    with suppress(OSError, WorkerGone), remote_tracers(estimator, count) as tracers:
        # Each only waits for its process, and ends with it, also on Ctrl-C.
        threads = [Thread(target=_work, args=(pending, tracer), daemon=True) for tracer in tracers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # What another process could not answer is asked here, by whoever wants to know it.


def count_workers() -> int:
    """Processes to price in: `AUTOPEFT_WORKERS`, by default one for each of up to four cores.

    Raises:
        UsageError: it is no positive number.
    """
    text = os.environ.get(WORKERS_VARIABLE, "")
    if not text:
        return min(_MOST_WORKERS, _cores())
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"{WORKERS_VARIABLE} is {text!r}", hint="set it to 1 for one process, or to 2")
    return min(_MOST_WORKERS, int(text))


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _NothingNew:
    """An estimator that answers what is known already, and notes whether anything else was asked."""

    def __init__(self, estimator: TracingEstimator) -> None:
        self._estimator = estimator
        self.asked_anew = False

    def __call__(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> MemoryEstimate:
        if not self._estimator.knows(Question(model, task, method, hyperparameters, shape)):
            self.asked_anew = True
            raise ModelError("not traced yet")
        return self._estimator(model, task, method, hyperparameters, shape)


def _asks_anew(job: Job, estimator: TracingEstimator) -> bool:
    known = _NothingNew(estimator)
    try:
        job(known)
    except InputError:
        return known.asked_anew
    return known.asked_anew


def _work(pending: deque[Job], estimator: Estimator) -> None:
    """Run jobs until none is left; one that fails stays unanswered, and the asker will meet its error."""
    while pending:
        try:
            pending.popleft()(estimator)
        except (InputError, IndexError):  # a known error by now; or the other side took the last one
            continue
        except Exception:
            return
