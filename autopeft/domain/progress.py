"""What a running search tells whoever watches it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Standing:
    """How the trials of a search stand.

    Attributes:
        running: that train at this moment.
        paused: that may be trained further.
        done: at full length, or given up.
        failed: with an error, or out of memory.
        slice_seconds: of a slice, their median; None before the first has ended.
        step_peak_bytes: the most that a trial's step took so far, measured; None where nothing was.
    """

    running: int = 0
    paused: int = 0
    done: int = 0
    failed: int = 0
    slice_seconds: float | None = None
    step_peak_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a search.

    Attributes:
        stage: what is going on, in words (`search`, `confirm`, `test`, ...).
        activity: the running piece, such as `trial 7: dora to step 21`.
        done: finished pieces of this stage.
        best: the best so far, in words with its 95 % interval over the rows, or empty.
        trials_started: configurations tried so far.
        trials_failed: of them, failed or out of memory.
        spent_seconds: since the start, over all sessions.
        budget_seconds: wall clock for everything, or None.
        standing: of the trials; of the search stage alone.
        trials_allowed: configurations to try at most, or None.
        next_rung: optimizer step at which the slice that was begun last ends and is compared; None in other stages.
        full_steps: of a full-length run.
    """

    stage: str
    activity: str
    done: int
    best: str
    trials_started: int
    trials_failed: int
    spent_seconds: float
    budget_seconds: float | None
    standing: Standing = Standing()
    trials_allowed: int | None = None
    next_rung: int | None = None
    full_steps: int | None = None


class Observer(Protocol):
    """Watches a search; must not change it."""

    def progress(self, progress: Progress) -> None:
        """Show where the search stands."""

    def note(self, text: str) -> None:
        """Say one line of commentary."""


class Silent:
    """An observer that shows nothing."""

    def progress(self, progress: Progress) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


class Calls:
    """An observer that calls a function with each moment, and keeps commentary to itself.

    Args:
        function: is given a `Progress`.
    """

    def __init__(self, function: Callable[[Progress], object]) -> None:
        self._function = function

    def progress(self, progress: Progress) -> None:
        """Call the function."""
        self._function(progress)

    def note(self, text: str) -> None:
        """Do nothing."""


def observer_of(watcher: Observer | Callable[[Progress], object] | None) -> Observer:
    """The observer that a user gave: one itself, a function that is called with each `Progress`, or nothing."""
    if watcher is None:
        return Silent()
    return Calls(watcher) if callable(watcher) else watcher
