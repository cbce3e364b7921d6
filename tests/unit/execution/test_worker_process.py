"""What a worker says is heard whole, however its bytes arrive."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autopeft.execution.messages import encode
from autopeft.execution.worker_process import WorkerDied, WorkerProcess


def listening_to(descriptor: int) -> WorkerProcess:
    worker = WorkerProcess.__new__(WorkerProcess)
    cast(Any, worker)._process = SimpleNamespace(stdout=SimpleNamespace(fileno=lambda: descriptor))
    worker._buffer = b""
    worker._progress = None
    return worker


def test_two_messages_that_arrive_together_are_heard_one_by_one() -> None:
    reads, writes = os.pipe()
    worker = listening_to(reads)
    os.write(writes, encode({"ready": True}) + encode({"result": 1}))
    assert worker.receive() == {"ready": True}
    # The pipe is empty by now, so that `select` would never tell of the second.
    assert worker.has_message
    assert worker.receive() == {"result": 1}
    assert not worker.has_message
    os.write(writes, encode({"late": 1})[:5])
    assert worker.receive() is None
    os.close(writes)
    os.close(reads)


def test_what_is_no_json_is_no_message() -> None:
    reads, writes = os.pipe()
    worker = listening_to(reads)
    os.write(writes, b'{"result": {"validation_loss": NaN}}\n')
    with pytest.raises(WorkerDied, match="nonsense"):
        worker.receive()
    os.close(writes)
    os.close(reads)


def test_a_process_that_waits_is_idle_and_one_that_works_is_not() -> None:
    worker = listening_to(0)
    for command, idles in (("import time; time.sleep(60)", True), ("while True: pass", False)):
        process = subprocess.Popen([sys.executable, "-S", "-c", command])
        cast(Any, worker)._process.pid = process.pid
        longest = 0.0
        worker._progress = None
        try:
            for now in range(40):
                time.sleep(0.05)
                longest = max(longest, worker.idle_seconds(float(now)))
        finally:
            process.kill()
            process.wait()
        assert (longest > 20) == idles
