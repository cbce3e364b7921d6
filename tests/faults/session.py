"""One command as a process of its own: what it is told, and what happens to it."""

from dataclasses import dataclass
from pathlib import Path

from tests.faults.disturbances import At


@dataclass(frozen=True)
class Session:
    """One command.

    Attributes:
        words: of the command line.
        folder: of the run.
        log: takes what is printed.
        at: what happens to it from within, or None.
        fails: method of the trials that fail -> how: `oom` or the text of an error.
        environment: set in it.
        pictures: whether the report's pictures are drawn, which takes longer than all else together.
    """

    words: tuple[str, ...]
    folder: Path
    log: Path
    at: At | None = None
    fails: tuple[str, str] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    pictures: bool = True


def conduct(session: Session) -> None:
    """Run it and end this process as the command would; what is heavy is imported only there."""
    from tests.faults.process import conduct as run

    run(session)
