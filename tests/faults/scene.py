"""A run and what befalls it: commands in processes of their own, and what must hold after each of them."""

import itertools
import multiprocessing
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from autopeft.search.run_directory import RunDirectory
from tests.faults import invariants
from tests.faults.disturbances import At
from tests.faults.session import Session, conduct

PRELOADED = ["tests.faults.warm"]
LONGEST_SECONDS = 300.0
TRIALS = 7
MOST_RESUMES = 4
# What a stop may end with: done, could not finish, interrupted, killed.
STOPS = (0, 6, 130, -signal.SIGKILL)


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: of the process; minus the signal that ended it.
        said: everything that it printed.
        operations: on the run directory.
    """

    status: int
    said: str
    operations: int

    @property
    def message(self) -> str:
        """The line that begins with `error:` or `interrupted`, or empty."""
        return next((one for one in self.said.splitlines() if one.startswith(("error:", "interrupted"))), "")


def fork_server() -> ForkServerContext:
    """Processes that have everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


class Workshop:
    """Where scenes are made: one fork server, and the runs that nobody disturbed.

    Args:
        folder: for everything.
        pictures: whether the reports' pictures are drawn.
    """

    def __init__(self, folder: Path, *, pictures: bool = False) -> None:
        self.folder = folder
        self.pictures = pictures
        self.context = fork_server()
        self._numbers = itertools.count()

    def scene(self, *, workers: int = 0, folder: Path | None = None) -> "Scene":
        """A run that has not begun, in a folder of its own or in the one given."""
        place = (folder or self.folder) / f"scene-{next(self._numbers)}"
        place.mkdir()
        return Scene(self, place, workers)

    @cached_property
    def undisturbed(self) -> "Undisturbed":
        """The search that nothing happens to."""
        scene = self.scene()
        outcome = scene.search()
        assert outcome.status == 0, outcome.said
        return Undisturbed(invariants.comparable(scene.run), outcome.operations)


@dataclass(frozen=True)
class Undisturbed:
    """What a run is compared with.

    Attributes:
        content: of its result, without what a clock measured, and the digest of its adapter.
        operations: that it did on its run directory.
    """

    content: dict[str, object]
    operations: int


class Scene:
    """One run directory under attack.

    Args:
        workshop: see there.
        folder: of the scene; the run lies in it.
        workers: processes that train; 0 trains within.
    """

    def __init__(self, workshop: Workshop, folder: Path, workers: int) -> None:
        self.workshop = workshop
        self.folder = folder
        self.workers = workers
        self.run = folder / "run"
        self.outcomes: list[Outcome] = []
        self.fails: tuple[str, str] | None = None
        self.misbehaves = ""
        self._kept: dict[str, list[str]] = {}
        self._sessions = itertools.count()

    @property
    def operations(self) -> int:
        """That an undisturbed search does."""
        return self.workshop.undisturbed.operations

    def search(self, at: At | None = None, *more: str) -> Outcome:
        """Begin the run."""
        return self._command(("search", *self._asked, *more), at)

    def resume(self, at: At | None = None, *more: str) -> Outcome:
        """Go on with it."""
        return self._command(("resume", str(self.run), "--quiet", *more), at)

    @contextmanager
    def searching(self, *more: str) -> Iterator[BaseProcess]:
        """A search that goes on meanwhile; waits for its end."""
        process, log = self._start(("search", *self._asked, *more), None)
        yield process
        self._end(process, log)

    @contextmanager
    def resuming(self) -> Iterator[BaseProcess]:
        """A resumed search that goes on meanwhile; waits for its end."""
        process, log = self._start(("resume", str(self.run)), None)
        while process.exitcode is None and not RunDirectory(self.run).is_locked():
            time.sleep(0.01)
        yield process
        self._end(process, log)

    def slices_kept(self) -> int:
        """So far."""
        return sum(map(len, invariants.kept_slices(self.run).values()))

    def forget_kept(self) -> None:
        """What was kept has been damaged on purpose."""
        self._kept = invariants.kept_slices(self.run)

    def checked(self, outcome: Outcome, allowed: tuple[int, ...] = STOPS, *, events: bool = True) -> Outcome:
        """See that it ended as it may, with a message of one line and a hint, and that nothing was lost or left."""
        assert outcome.status in allowed, f"status {outcome.status}\n{outcome.said}"
        assert "Traceback" not in outcome.said, outcome.said
        if outcome.status in (2, 4, 6):
            assert re.search(r"^error: [^\n]+\nhint: [^\n]+$", outcome.said, re.MULTILINE), outcome.said
        if events:
            self.nothing_is_lost()
        return outcome

    def nothing_is_lost(self) -> None:
        """Every slice that was kept is there as it was, is what its trial gives, and no worker is left."""
        now = invariants.kept_slices(self.run)
        for name, lines in self._kept.items():
            assert now.get(name, [])[: len(lines)] == lines, f"{name} has lost finished slices"
        self._kept = now
        invariants.slices_are_their_trials(self.run)

    def finishes(self, *, like_undisturbed: bool = True) -> None:
        """Resume until it is done: everything agrees, it is what nobody disturbed, and another resume does nothing.

        Two workers answer in an order of their own, by which later trials are chosen; their slices are still held to
        what their trials give.
        """
        last = self.outcomes[-1]
        for _ in range(MOST_RESUMES):
            if last.status == 0:
                break
            last = self.checked(self.resume())
        assert last.status == 0, last.said
        self.nothing_is_lost()
        invariants.everything_agrees(self.run)
        if like_undisturbed and self.workers < 2:
            assert invariants.comparable(self.run) == self.workshop.undisturbed.content
        before = invariants.files(self.run)
        again = self.resume()
        assert again.status == 0, again.said
        assert invariants.files(self.run) == before, "a second resume wrote something"

    @property
    def _asked(self) -> tuple[str, ...]:
        return (
            *("--model=made-up", "--dataset=made-up", "--methods=lora,ia3,houlsby"),
            *(f"--output={self.run}", f"--trials={TRIALS}", f"--workers={self.workers}", "--seed=3"),
        )

    def _command(self, words: tuple[str, ...], at: At | None) -> Outcome:
        return self._end(*self._start(words, at))

    def _start(self, words: tuple[str, ...], at: At | None) -> tuple[BaseProcess, Path]:
        log = self.folder / f"session-{next(self._sessions)}.log"
        session = Session(words, self.run, log, at, self.fails, pictures=self.workshop.pictures)
        if self.misbehaves:
            session = replace(session, environment=(("AUTOPEFT_STAND_IN_MISBEHAVES", self.misbehaves),))
        process: BaseProcess = self.workshop.context.Process(target=conduct, args=(session,))
        process.start()
        return process, log

    def _end(self, process: BaseProcess, log: Path) -> Outcome:
        process.join(LONGEST_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"it went on for {LONGEST_SECONDS} s: {log.read_text()}")
        assert process.pid is not None
        invariants.nobody_is_left(process.pid, time.monotonic)
        said = log.read_text()
        counted = re.search(r"^operations: (\d+)$", said, re.MULTILINE)
        self.outcomes.append(Outcome(process.exitcode, said, int(counted[1]) if counted else 0))
        return self.outcomes[-1]
