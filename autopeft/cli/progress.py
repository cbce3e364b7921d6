"""The progress display: one live block at a terminal, plain lines elsewhere; always on stderr."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autopeft.domain.progress import Observer, Progress, Silent, Standing
from autopeft.domain.units import format_bytes, format_duration
from autopeft.execution.resident import resident_bytes

_BAR_WIDTH = 40


@contextmanager
def terminal_observer(*, quiet: bool) -> Iterator[Observer]:
    """An observer for this terminal; it is cleared away when the block ends."""
    console = Console(stderr=True)
    if quiet:
        yield Silent()
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield _LiveObserver(live)
    else:
        yield _LineObserver(console)


class _LiveObserver:
    """Redraws one block; the clock in it goes on between two messages."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._progress: Progress | None = None
        self._seen = 0.0
        live.get_renderable = self._draw  # type: ignore[method-assign]  # rich's own way to draw on each refresh

    def progress(self, progress: Progress) -> None:
        """Show where the search stands."""
        # The later stages have no best of their own: the search's stays in sight.
        best = progress.best or (self._progress.best if self._progress else "")
        self._progress = replace(progress, best=best)
        self._seen = time.monotonic()
        self._live.refresh()

    def note(self, text: str) -> None:
        """Print a line above the block."""
        self._live.console.print(Text(text, style="dim"))

    def _draw(self) -> Group | Text:
        if self._progress is None:
            return Text("reading model and data …")
        return block(self._progress, time.monotonic() - self._seen, resident_bytes())


def block(progress: Progress, since_seconds: float, resident: Sequence[int] = ()) -> Group:
    """The live block: stage and activity, trials, best so far, pace, memory, time left.

    Args:
        progress: as last told.
        since_seconds: since it was told.
        resident: bytes that each training process holds.
    """
    spent = progress.spent_seconds + since_seconds
    grid = Table.grid(padding=(0, 2))
    rows = {
        "stage": f"{progress.stage}: {progress.activity}",
        "trials": _trials(progress),
        "best": progress.best,
        "next rung": _next_rung(progress),
        "memory": _memory(progress.standing, resident),
        "time": _time(spent, progress.budget_seconds),
    }
    for name, text in rows.items():
        if text:
            grid.add_row(name, Text(text))
    if progress.budget_seconds is None:
        return Group(grid)
    done = min(spent, progress.budget_seconds)
    return Group(grid, ProgressBar(total=progress.budget_seconds, completed=done, width=_BAR_WIDTH))


def _trials(progress: Progress) -> str:
    if not progress.trials_started:
        return ""
    allowed = f" of {progress.trials_allowed}" if progress.trials_allowed is not None else ""
    stands = progress.standing
    counts = {"running": stands.running, "paused": stands.paused, "done": stands.done, "failed": stands.failed}
    shown = ", ".join(f"{count} {state}" for state, count in counts.items() if count or state != "failed")
    return f"{progress.trials_started}{allowed} started: {shown}"


def _next_rung(progress: Progress) -> str:
    if progress.next_rung is None:
        return ""
    full = f" of {progress.full_steps}" if progress.full_steps is not None else ""
    seconds = progress.standing.slice_seconds
    pace = f"; a slice takes {format_duration(seconds)}" if seconds is not None else ""
    return f"step {progress.next_rung}{full}{pace}"


def _memory(stands: Standing, resident: Sequence[int]) -> str:
    held = " + ".join(map(format_bytes, resident))
    who = "" if len(resident) < 2 else f" in {len(resident)} workers"
    parts = [f"{held}{who}"] if resident else []
    if stands.step_peak_bytes is not None:
        parts.append(f"a step's peak {format_bytes(stands.step_peak_bytes)}")
    return "; ".join(parts)


def _time(spent_seconds: float, budget_seconds: float | None) -> str:
    if budget_seconds is None:
        return f"{format_duration(spent_seconds)} spent"
    left = max(0.0, budget_seconds - spent_seconds)
    return f"{format_duration(left)} left of {format_duration(budget_seconds)}"


class _LineObserver:
    """One line for each piece of work, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def progress(self, progress: Progress) -> None:
        """Print where the search stands."""
        best = f"; best {progress.best}" if progress.best else ""
        when = _time(progress.spent_seconds, progress.budget_seconds)
        self._print(f"[{when}] {progress.stage}: {progress.activity}{best}")

    def note(self, text: str) -> None:
        """Print a line."""
        self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
