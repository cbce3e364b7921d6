"""The memory that the processes that train hold at this moment, as the system counts it."""

import os
from pathlib import Path

_WORKER = b"autopeft.execution.child"


def resident_bytes(processes: Path = Path("/proc")) -> tuple[int, ...]:
    """Resident bytes of each worker process that this process started, else of this process; empty where unknown.

    Args:
        processes: where the system lists them; there is such a folder on Linux only.
    """
    own = os.getpid()
    try:
        children = [
            child
            for thread in (processes / str(own) / "task").iterdir()
            for child in (thread / "children").read_text("ascii").split()
        ]
        workers = [one for one in children if _WORKER in (processes / one / "cmdline").read_bytes()]
        return tuple(_resident(processes / one) for one in workers or [str(own)])
    except (OSError, ValueError, IndexError):  # another system, or one of them has just ended
        return ()


def _resident(process: Path) -> int:
    pages = int((process / "statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
