"""A process that trains together with a worker: it does what that one does, and answers nothing.

The end of the input means that the worker is gone: then this process ends at once, whatever it waits for.
"""

import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autopeft.errors import AutopeftError
from autopeft.execution.child import Inbox, Orphaned
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.loading import WorkerSetup, settle, worker_from
from autopeft.execution.obey import answer_to
from autopeft.training.ranks import joined

# What fails in all processes alike is said by the first; one that fails alone ends, so that nobody waits for it.
ALONE_SECONDS = 20.0


def main() -> None:
    """Follow until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    inbox, messages = Inbox(0), queue.Queue[dict[str, Any]]()
    start = inbox.next()
    setup, meeting = WorkerSetup(**start["setup"]), Path(start["meeting"])
    threading.Thread(target=_listen, args=(inbox, messages, meeting), daemon=True).start()
    ranks = joined(start["rank"], setup.ranks, meeting)
    try:
        executor = InProcessExecutor(worker_from(setup, ranks))
    except AutopeftError:  # the first process says the same
        time.sleep(ALONE_SECONDS)
        raise
    settle()
    while not _failed(answer_to(executor, messages.get(), lambda: False)):
        pass
    time.sleep(ALONE_SECONDS)
    os._exit(1)


def _listen(inbox: Inbox, messages: "queue.Queue[dict[str, Any]]", meeting: Path) -> None:
    try:
        while True:
            messages.put(inbox.next())
    except Orphaned:
        shutil.rmtree(meeting.parent, ignore_errors=True)
        os._exit(0)


def _failed(answer: Mapping[str, Any]) -> bool:
    return "refused" in answer or bool(answer.get("result", {}).get("error"))


if __name__ == "__main__":
    main()
