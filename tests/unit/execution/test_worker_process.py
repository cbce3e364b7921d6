"""What a worker says is heard whole, however its bytes arrive."""

import os
from types import SimpleNamespace
from typing import Any, cast

from autopeft.execution.messages import encode
from autopeft.execution.worker_process import WorkerProcess


def listening_to(descriptor: int) -> WorkerProcess:
    worker = WorkerProcess.__new__(WorkerProcess)
    cast(Any, worker)._process = SimpleNamespace(stdout=SimpleNamespace(fileno=lambda: descriptor))
    worker._buffer = b""
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
