"""Where the time of a run went, over all its sessions; the parts add up to what was spent."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autopeft.search.run_directory import intact, read_json, write_json

CATEGORIES = ("startup", "data", "probe", "baselines", "search", "confirm", "controls", "test")
# What a worker's time went into: kept slices of the search, the confirm stage and the controls, and what was lost.
WORK = ("search", "confirm", "controls", "wasted")


class Ledger:
    """Seconds by category, kept in `ledger.json` so that a killed session's time still counts.

    Args:
        path: the file.
        clock: gives seconds that never go backwards.
        started: when this session began, on `clock`.
        timestamp: the calendar time of the session's start, for people.
        workers: that this session holds, and pays for.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float], started: float, timestamp: str, workers: int = 1
    ) -> None:
        self._path = path
        self._clock = clock
        self._started = started
        nothing: dict[str, Any] = {"sessions": [], "seconds": {}, "compute_seconds": 0.0, "work_seconds": {}}
        earlier = read_json(path) if path.exists() else nothing
        with intact(path):
            session = {"started": timestamp, "seconds": 0.0, "workers": workers}
            self._sessions: list[dict[str, Any]] = [*earlier["sessions"], session]
            self._work: dict[str, float] = {name: earlier["work_seconds"].get(name, 0.0) for name in WORK}
            self._seconds: dict[str, float] = {name: earlier["seconds"].get(name, 0.0) for name in CATEGORIES}
            self.compute_seconds: float = earlier["compute_seconds"]

    @property
    def spent_seconds(self) -> float:
        """Wall time of all sessions, this one up to now."""
        earlier = sum(session["seconds"] for session in self._sessions[:-1])
        return float(earlier) + self._clock() - self._started

    @property
    def worker_seconds(self) -> float:
        """Time for which workers were held, summed over them and over all sessions."""
        *earlier, now = self._sessions
        held = sum(session["seconds"] * session["workers"] for session in earlier)
        return float(held) + (self._clock() - self._started) * float(now["workers"])

    @contextmanager
    def spend(self, category: str) -> Iterator[None]:
        """Book the time of a block; saved when it ends, however it ends."""
        began = self._clock()
        try:
            yield
        finally:
            self.book(category, self._clock() - began)

    @contextmanager
    def spend_together(self, categories: Sequence[str]) -> Iterator[None]:
        """Book the time of a block in equal parts to what was going on at once; not saved by itself."""
        began = self._clock()
        try:
            yield
        finally:
            seconds = (self._clock() - began) / len(categories)
            for category in categories:
                self._seconds[category] += seconds

    def work(self, kind: str, seconds: float, *, compute_seconds: float = 0.0) -> None:
        """Add to what the workers did; not saved by itself.

        Args:
            kind: one of `WORK`.
            seconds: of one worker.
            compute_seconds: of them, inside forward, backward, optimizer and evaluation.
        """
        self._work[kind] += seconds
        self.compute_seconds += compute_seconds

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
            "work_seconds": self._work,
        }
        write_json(self._path, content)

    def to_dict(self) -> dict[str, Any]:
        """The `budget` entries of result.json that the ledger knows."""
        spent = self.spent_seconds
        parts = dict(self._seconds)
        parts["overhead"] = spent - sum(parts.values())
        worker_seconds = self.worker_seconds
        after_startup = max(1e-9, worker_seconds - parts["startup"])
        return {
            "spent_seconds": spent,
            "ledger": parts,
            "worker_seconds": worker_seconds,
            "work": dict(self._work),
            "compute_seconds": self.compute_seconds,
            "compute_share": min(1.0, self.compute_seconds / after_startup),
            "sessions": [*self._sessions[:-1], self._sessions[-1] | {"seconds": self._clock() - self._started}],
        }
