"""Several processes that train each trial together: this one speaks for all, the others do what it does.

The others are started here and end with this process, however it goes; if one of them ends, this process ends too, so
that whoever asked sees one worker that has gone.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.loading import WorkerSetup, settle, worker_from
from autopeft.execution.messages import encode, slice_message, trained_message
from autopeft.execution.protocol import SliceTask
from autopeft.training.ranks import joined

# Of a worker that has ended because one of its group has.
LOST_ONE = 70
# After so long it is known whether a process of the group has ended.
SURE_SECONDS = 2.0


def executor_from(setup: WorkerSetup) -> InProcessExecutor:
    """What trains in this process: alone, or with others that it starts.

    Raises:
        AutopeftError: something that the setup names is not there any more, damaged, or not what the search began with.
    """
    executor = InProcessExecutor(worker_from(setup)) if setup.ranks == 1 else GroupExecutor(setup)
    settle()
    return executor


class GroupExecutor(InProcessExecutor):
    """Slices run by `setup.ranks` processes of this machine; this is the first.

    Args:
        setup: what each of them loads.

    Raises:
        AutopeftError: as `worker_from` says.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        meeting = Path(tempfile.mkdtemp(prefix="autopeft-group-")) / "meeting"
        self._others = [_started(setup, rank, meeting) for rank in range(1, setup.ranks)]
        for process in self._others:
            threading.Thread(target=_end_with, args=(process,), daemon=True).start()
        ranks = joined(0, setup.ranks, meeting)
        super().__init__(worker_from(setup, ranks))

    def run(self, task: SliceTask, should_stop: Callable[[], bool]) -> SliceResult:
        """See `InProcessExecutor.run`."""
        self._tell(slice_message(task))
        result = super().run(task, should_stop)
        if result.error is not None:
            # Perhaps another has gone: whoever waits for that ends this process now, and nobody blames the trial.
            time.sleep(SURE_SECONDS)
        return result

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """See `Executor.test`."""
        self._tell(trained_message("test", spec, folder, step))
        return super().test(spec, folder, step)

    def _tell(self, message: Mapping[str, Any]) -> None:
        for process in self._others:
            assert process.stdin is not None  # a pipe was asked for
            process.stdin.write(encode(message))


def _started(setup: WorkerSetup, rank: int, meeting: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-W", "ignore", "-m", "autopeft.execution.follower"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=2, env=environment, bufsize=0)
    assert process.stdin is not None  # a pipe was asked for
    process.stdin.write(encode({"rank": rank, "meeting": str(meeting), "setup": setup.to_dict()}))
    return process


def _end_with(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of a process and end this one: its part of a trial is lost, and the others wait for it."""
    process.wait()
    os._exit(LOST_ONE)
