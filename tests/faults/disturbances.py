"""What is done to a process from within, at its n-th operation on the run directory.

Python's audit events tell of every file that is opened for writing, renamed or removed, before it happens: so a kill
or an error can be put at each of them, and lies where the operation would have been.
"""

import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
Act = Callable[[int], None]


@dataclass(frozen=True)
class At:
    """An act at an operation on the run directory.

    Attributes:
        operation: number of the operation, from 1.
        act: a name of `ACTS`.
    """

    operation: int
    act: str


class Operations:
    """Counts the operations on a folder, and acts at the one that was asked for and those after it.

    Args:
        folder: that is watched.
        at: what to do, or None to count only.
    """

    def __init__(self, folder: Path, at: At | None) -> None:
        self.count = 0
        self._folder = str(folder)
        self._at = at
        self._acting = False

    def install(self) -> None:
        """From now on, until the process ends: audit hooks cannot be taken away."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._acting or not _changes(event, arguments) or not self._is_inside(arguments):
            return
        self.count += 1
        if self._at is not None and self.count >= self._at.operation:
            self._acting = True
            try:
                ACTS[self._at.act](self.count - self._at.operation)
            finally:
                self._acting = False

    def _is_inside(self, arguments: tuple[Any, ...]) -> bool:
        return any(isinstance(one, str | Path) and str(one).startswith(self._folder) for one in arguments[:2])


def _changes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event != "open":
        return event in _CHANGES
    mode, flags = arguments[1], arguments[2]
    return bool(flags & _WRITES) if isinstance(flags, int) else bool(mode) and not set("wax+").isdisjoint(mode)


def _signal(number: int) -> Act:
    """At that operation alone."""
    return lambda later: os.kill(os.getpid(), number) if later == 0 else None


def _twice(later: int) -> None:
    """A second signal while the first is being obeyed."""
    if later in (0, 2):
        os.kill(os.getpid(), signal.SIGINT)


def _error(number: int) -> Act:
    """From that operation on."""

    def fail(later: int) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def _error_once(number: int) -> Act:
    def fail(later: int) -> None:
        if later == 0:
            raise OSError(number, os.strerror(number))

    return fail


def _no_file_grows(later: int) -> None:
    """From here on no file of this process, its database included, can become longer than two kilobytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))


def _clock_goes_back(later: int) -> None:
    """The calendar's clock loses a minute at each operation; the one that only goes forward is as it was."""
    lost, real = 60.0 * (later + 1), _REAL_TIME
    time.time = lambda: real() - lost


_REAL_TIME = time.time
ACTS: dict[str, Act] = {
    "kill": _signal(signal.SIGKILL),
    "interrupt": _signal(signal.SIGINT),
    "terminate": _signal(signal.SIGTERM),
    "interrupt twice": _twice,
    "full disk": _error(errno.ENOSPC),
    "full disk for a moment": _error_once(errno.ENOSPC),
    "input/output error for a moment": _error_once(errno.EIO),
    "read-only file system": _error(errno.EROFS),
    "no permission": _error(errno.EACCES),
    "no file grows": _no_file_grows,
    "clock goes back": _clock_goes_back,
}
