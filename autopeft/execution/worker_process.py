"""One warm worker process, seen from the search: started, asked, listened to, ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autopeft.execution.loading import WorkerSetup
from autopeft.execution.messages import decode, encode

_CHUNK_BYTES = 65536
NONSENSE = "answered nonsense"


class WorkerDied(Exception):
    """The process has ended, or answered nonsense."""


class WorkerProcess:
    """A fresh interpreter, no fork, since torch has threads. It ends with this object's `kill`, or with this process.

    Args:
        setup: what it loads.
        log: file that takes what it prints.
        device: value of CUDA_VISIBLE_DEVICES for it, or None to leave that as it is.

    Attributes:
        ready: whether it has said that everything is loaded.
    """

    def __init__(self, setup: WorkerSetup, log: Path, device: str | None) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        if device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = device
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "autopeft.execution.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=environment,
                bufsize=0,
            )
        self.ready = False
        self._buffer = b""
        self._progress: tuple[float, float] | None = None
        self.send(setup.to_dict())

    @property
    def process_id(self) -> int:
        """Of the operating system."""
        return self._process.pid

    def fileno(self) -> int:
        """Of its answers, for `select`."""
        assert self._process.stdout is not None  # a pipe was asked for
        return self._process.stdout.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Ask something; a process that is gone is found out when its answer is read."""
        assert self._process.stdin is not None  # a pipe was asked for
        self._progress = None
        try:
            self._process.stdin.write(encode(message))
        except (OSError, ValueError):
            self._process.kill()

    def idle_seconds(self, now: float) -> float:
        """For how long, since it was asked something, it has used no processor time; to be asked from time to time.

        A worker that waits for ever, in a deadlock or stopped by a signal, uses none; one that loads, trains or waits
        for a GPU does. Where the system does not tell (there is no /proc), the answer is 0.

        Args:
            now: on a clock that never goes backwards.
        """
        used = _processor_seconds(self.process_id)
        if used is None or self._progress is None or self._progress[0] != used:
            self._progress = (0.0 if used is None else used, now)
        return 0.0 if used is None else now - self._progress[1]

    @property
    def has_message(self) -> bool:
        """Whether a whole message has been read already, of which `select` knows nothing."""
        return b"\n" in self._buffer

    def receive(self) -> dict[str, Any] | None:
        """Read once, waiting if nothing is there yet; the message that this completes, or None.

        Raises:
            WorkerDied: there will be none.
        """
        if not self.has_message:
            chunk = os.read(self.fileno(), _CHUNK_BYTES)
            if not chunk:
                raise WorkerDied(self.cause_of_death())
            self._buffer += chunk
        if not self.has_message:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            return decode(line)
        except ValueError as error:
            raise WorkerDied(NONSENSE) from error

    def cause_of_death(self) -> str:
        """In words; waits for the end of the process."""
        status = self._process.wait()
        if status >= 0:
            return f"ended with status {status}"
        name = signal.Signals(-status).name
        # The kernel's way to get memory back is the same signal as anybody's.
        return f"was killed by {name}" + (", perhaps for lack of memory" if name == "SIGKILL" else "")

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _processor_seconds(process_id: int) -> float | None:
    """Of all its threads, so far; None where that is not known."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None
