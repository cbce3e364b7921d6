"""The worker process: loads the base model once, then runs slices until nobody asks any more.

It reads its setup and its tasks from standard input and answers on standard output. The end of the input means that
the search is gone, however it went: then this process ends too, at the next step.
"""

import os
import select
import signal
from typing import Any

from autopeft.errors import AutopeftError
from autopeft.execution.group import executor_from
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.messages import decode, encode
from autopeft.execution.obey import answer_to, refusal

_CHUNK_BYTES = 65536


class Orphaned(SystemExit):
    """The search has gone."""


class Inbox:
    """Messages on a file descriptor, line by line.

    Args:
        descriptor: to read from.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""

    def next(self) -> dict[str, Any]:
        """The next message, waiting for it.

        Raises:
            Orphaned: there will be none.
        """
        while b"\n" not in self._buffer:
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
            if not chunk:
                raise Orphaned
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return decode(line)

    def stop_requested(self) -> bool:
        """Whether a message has come; during a slice that can only be to stop it.

        Raises:
            Orphaned: there will be none.
        """
        if b"\n" not in self._buffer and not select.select([self._descriptor], [], [], 0)[0]:
            return False
        return bool(self.next()["do"] == "stop")


def main() -> None:
    """Serve until the input ends."""
    # A Ctrl-C at the terminal reaches every process; the search alone decides what it means.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    inbox = Inbox(0)
    try:
        executor = executor_from(WorkerSetup(**inbox.next()))
    except AutopeftError as error:
        _answer(answers, refusal(error))
        return
    _answer(answers, {"ready": True})
    while True:
        message = inbox.next()
        if message["do"] == "stop":  # it came when the slice had just ended
            continue
        answer = answer_to(executor, message, inbox.stop_requested)
        # The number of the question: an answer that comes late, or twice, is nobody else's.
        _answer(answers, answer | {"number": message["number"]})


def _answer(descriptor: int, message: dict[str, Any]) -> None:
    line = encode(message)
    while line:
        line = line[os.write(descriptor, line) :]


if __name__ == "__main__":
    try:
        main()
    except Orphaned:
        os._exit(0)  # at once: processes of a group would wait for each other in the end
