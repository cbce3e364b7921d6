"""Where the time of a run went, over all its sessions; the parts add up to what was spent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autopeft.search.run_directory import intact, read_json, write_json

CATEGORIES = ("startup", "data", "probe", "baselines", "search", "confirm", "controls", "test")


class Ledger:
    """Seconds by category, kept in `ledger.json` so that a killed session's time still counts.

    Args:
        path: the file.
        clock: gives seconds that never go backwards.
        started: when this session began, on `clock`.
        timestamp: the calendar time of the session's start, for people.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], started: float, timestamp: str) -> None:
        self._path = path
        self._clock = clock
        self._started = started
        nothing: dict[str, Any] = {"sessions": [], "seconds": {}, "compute_seconds": 0.0}
        earlier = read_json(path) if path.exists() else nothing
        with intact(path):
            self._sessions: list[dict[str, Any]] = [*earlier["sessions"], {"started": timestamp, "seconds": 0.0}]
            self._seconds: dict[str, float] = {name: earlier["seconds"].get(name, 0.0) for name in CATEGORIES}
            self.compute_seconds: float = earlier["compute_seconds"]

    @property
    def spent_seconds(self) -> float:
        """Wall time of all sessions, this one up to now."""
        earlier = sum(session["seconds"] for session in self._sessions[:-1])
        return float(earlier) + self._clock() - self._started

    @contextmanager
    def spend(self, category: str) -> Iterator[None]:
        """Book the time of a block; saved when it ends, however it ends."""
        began = self._clock()
        try:
            yield
        finally:
            self.book(category, self._clock() - began)

    def book(self, category: str, seconds: float, *, compute_seconds: float = 0.0) -> None:
        """Add to a category, and to the time inside forward, backward, optimizer and evaluation."""
        self._seconds[category] += seconds
        self.compute_seconds += compute_seconds
        self.save()

    def save(self) -> None:
        """Write the file."""
        self._sessions[-1]["seconds"] = self._clock() - self._started
        content = {
            "sessions": self._sessions,
            "seconds": self._seconds,
            "compute_seconds": self.compute_seconds,
        }
        write_json(self._path, content)

    def to_dict(self) -> dict[str, Any]:
        """The `budget` entries of result.json that the ledger knows."""
        spent = self.spent_seconds
        parts = dict(self._seconds)
        parts["overhead"] = spent - sum(parts.values())
        after_startup = max(1e-9, spent - parts["startup"])
        return {
            "spent_seconds": spent,
            "ledger": parts,
            "compute_seconds": self.compute_seconds,
            "compute_share": min(1.0, self.compute_seconds / after_startup),
            "sessions": [*self._sessions[:-1], self._sessions[-1] | {"seconds": self._clock() - self._started}],
        }
