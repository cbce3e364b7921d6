"""Tells callbacks what happens in a search, and lets none of them end it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autopeft.domain.callbacks import Callback, SliceEnded


class Callbacks:
    """Several callbacks as one; the first that raises anything is dropped, and that is noted.

    Args:
        callbacks: told in this order.
        note: takes a line of commentary.
    """

    def __init__(self, callbacks: Sequence[Callback] = (), note: Callable[[str], None] = lambda text: None) -> None:
        self._callbacks = list(callbacks)
        self._note = note

    def slice_ended(self, ended: SliceEnded) -> None:
        """See `Callback.slice_ended`."""
        for callback in tuple(self._callbacks):
            with self._dropped_where_it_fails(callback):
                callback.slice_ended(ended)

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        """See `Callback.search_ended`."""
        for callback in tuple(self._callbacks):
            with self._dropped_where_it_fails(callback):
                callback.search_ended(result, run)

    @contextmanager
    def _dropped_where_it_fails(self, callback: Callback) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._callbacks.remove(callback)
            self._note(f"a callback, {type(callback).__name__}, failed and is told nothing more: {error!r}")
