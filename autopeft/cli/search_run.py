"""Running a search at the terminal: signals, progress, and the result at the end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from autopeft.cli.progress import terminal_observer
from autopeft.cli.run_view import show_run
from autopeft.search.stop import Stop

if TYPE_CHECKING:
    from autopeft.api.run import SearchResult


def run_search(*, quiet: bool, output_format: str, **asked: Any) -> None:
    """Search, then print what was found."""
    from autopeft.api.search import search

    _run(lambda observer, stop: search(observer=observer, stop=stop, **asked), output_format, quiet=quiet)


def run_resume(run: Path, output_format: str, *, quiet: bool, **asked: Any) -> None:
    """Go on, then print what was found."""
    from autopeft.api.search import resume

    def go_on(observer: Any, stop: Stop) -> "SearchResult":
        return resume(run, observer=observer, stop=stop, **asked)

    _run(go_on, output_format, quiet=quiet)


def _run(work: Callable[[Any, Stop], "SearchResult"], output_format: str, *, quiet: bool) -> None:
    stop = Stop()
    with _signals(stop), terminal_observer(quiet=quiet) as observer:
        run = work(observer, stop)
    show_run(run, output_format)


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM finish the running slice and write the report; a second one stops at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True

    earlier = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
