"""The progress display: one live block at a terminal, plain lines elsewhere; always on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autopeft.domain.progress import Observer, Progress, Silent
from autopeft.domain.units import format_duration

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
        self._progress = progress
        self._seen = time.monotonic()
        self._live.refresh()

    def note(self, text: str) -> None:
        """Print a line above the block."""
        self._live.console.print(Text(text, style="dim"))

    def _draw(self) -> Group | Text:
        if self._progress is None:
            return Text("reading model and data …")
        return block(self._progress, time.monotonic() - self._seen)


def block(progress: Progress, since_seconds: float) -> Group:
    """The live block: stage and activity, trials, best so far, time left."""
    spent = progress.spent_seconds + since_seconds
    grid = Table.grid(padding=(0, 2))
    grid.add_row("stage", Text(f"{progress.stage}: {progress.activity}"))
    failed = f", {progress.trials_failed} failed" if progress.trials_failed else ""
    if progress.trials_started:
        grid.add_row("trials", Text(f"{progress.trials_started} started{failed}"))
    if progress.best:
        grid.add_row("best", Text(progress.best))
    grid.add_row("time", Text(_time(spent, progress.budget_seconds)))
    if progress.budget_seconds is None:
        return Group(grid)
    done = min(spent, progress.budget_seconds)
    return Group(grid, ProgressBar(total=progress.budget_seconds, completed=done, width=_BAR_WIDTH))


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
