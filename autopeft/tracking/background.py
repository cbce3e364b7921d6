"""A tracker at work in a thread of its own: a slow one delays no slice, a broken one ends no search."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from autopeft.domain.callbacks import Callback, SliceEnded

LAST_SECONDS = 60.0
"""How long a search waits in the end for a tracker to take what it was told, where its budget has room for that."""
LEAST_SECONDS = 2.0
"""How long it waits where its budget has none."""

_Call = Callable[[Callback], None]


class Background:
    """A callback that hands everything to another one, in order, in a thread.

    Args:
        name: of the tracker, for people.
        opened: makes the tracker, given where its commentary goes; called in the thread, so that its packages are
            imported there.
        note: takes a line of commentary: the tracker's own, and once what it raises; called in the caller's thread.
        last_seconds: to wait for it in the end.
        left_seconds: of the budget, in the end; a wait that goes beyond it lasts `LEAST_SECONDS` at most.
    """

    def __init__(
        self,
        name: str,
        opened: Callable[[Callable[[str], None]], Callback],
        note: Callable[[str], None],
        *,
        last_seconds: float = LAST_SECONDS,
        left_seconds: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._name = name
        self._opened = opened
        self._note = note
        self._last_seconds = last_seconds
        self._left_seconds = left_seconds
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._lines: SimpleQueue[str] = SimpleQueue()
        # A daemon: a tracker that hangs keeps no process alive.
        self._thread = Thread(target=self._work, name=f"autopeft-{name}", daemon=True)
        self._thread.start()

    def slice_ended(self, ended: SliceEnded) -> None:
        """See `Callback.slice_ended`; comes back at once."""
        self._calls.put(lambda tracker: tracker.slice_ended(ended))
        self._say_lines()

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        """See `Callback.search_ended`; comes back when the tracker has it, or as `close` does."""
        self._calls.put(lambda tracker: tracker.search_ended(result, run))
        self.close()

    def close(self) -> None:
        """Let the tracker finish what it was told, within `last_seconds` and what the budget leaves of them."""
        self._calls.put(None)
        patience = min(self._last_seconds, max(LEAST_SECONDS, self._left_seconds()))
        self._thread.join(patience)
        self._say_lines()
        if self._thread.is_alive():
            self._note(f"{self._name} has not taken everything within {patience:.0f} s: left behind")

    def _say_lines(self) -> None:
        with suppress(Empty):
            while True:
                self._note(self._lines.get_nowait())

    def _work(self) -> None:
        try:
            tracker = self._opened(self._lines.put)
            while (call := self._calls.get()) is not None:
                call(tracker)
        except BaseException as error:  # a tracker may even exit: the thread ends, the search goes on
            reason = " ".join(str(error).split())[:200]
            self._lines.put(f"{self._name} is told nothing more: {type(error).__name__}: {reason}")
