"""Slices run in warm worker processes; one that crashes, hangs or runs out of memory is replaced."""

import select
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import DamagedStateError, RunError
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.messages import STOP, evaluation_from, slice_message, trained_message
from autopeft.execution.protocol import Finished, ShouldStop, SliceTask, over_time
from autopeft.execution.seat import Seat, sensible_result
from autopeft.execution.worker_process import NONSENSE, WorkerDied, WorkerProcess

TICK_SECONDS = 0.1
# A worker that was asked to stop answers between two steps; one that takes so much longer hangs.
GRACE_SECONDS = 30.0
# A worker that has used no processor time for so long, though it was asked for something, hangs.
IDLE_SECONDS = 600.0
# A slice in which so many workers have died is to blame for it itself.
MOST_DEATHS = 2


class WorkerPool:
    """An executor over `workers` processes, one slice each at a time.

    Args:
        setup: what every worker loads.
        workers: how many there are.
        logs: folder for what they print.
        devices: values of CUDA_VISIBLE_DEVICES, taken in turn; none leaves the environment as it is.
        note: is told when a worker had to be replaced.
        clock: gives seconds that never go backwards.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        workers: int,
        logs: Path,
        *,
        devices: Sequence[str] = (),
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots = workers
        self._setup = setup
        self._logs = logs
        self._devices = devices
        self._note = note
        self._clock = clock
        self._ended: list[Finished] = []
        self._seats: list[Seat] = []
        for place in range(workers):
            self._seats.append(Seat(self._start(place)))

    @property
    def process_ids(self) -> list[int]:
        """Of the workers."""
        return [seat.worker.process_id for seat in self._seats]

    def submit(self, task: SliceTask) -> None:
        """See `Executor.submit`."""
        seat = next(seat for seat in self._seats if seat.task is None)
        seat.task, seat.first_began, seat.deaths = task, None, 0
        self._hand_over(seat)

    def wait(self, should_stop: ShouldStop) -> Finished:
        """See `Executor.wait`."""
        while not self._ended:
            busy = [seat for seat in self._seats if seat.task is not None]
            by_worker = {seat.worker: seat for seat in busy}
            readable = [worker for worker in by_worker if worker.has_message]
            if not readable:
                readable, _, _ = select.select([*by_worker], [], [], TICK_SECONDS)
            for worker in readable:
                self._listen(by_worker[worker])
            for seat in busy:
                self._watch(seat, should_stop)
        return self._ended.pop(0)

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """See `Executor.test`."""
        answer = self._ask(trained_message("test", spec, folder, step))
        return evaluation_from(answer["evaluation"])

    def export(self, spec: TrialSpec, folder: Path, step: int, target: Path) -> None:
        """See `Executor.export`."""
        self._ask({**trained_message("export", spec, folder, step), "target": str(target)})

    def close(self) -> None:
        """See `Executor.close`."""
        for seat in self._seats:
            seat.worker.kill()
        self._seats.clear()

    def _start(self, place: int) -> WorkerProcess:
        device = self._devices[place % len(self._devices)] if self._devices else None
        try:
            return WorkerProcess(self._setup, self._logs / f"worker-{place}.log", device)
        except OSError as error:
            raise RunError(f"no worker process can be started: {error}", hint="lower --workers") from error

    def _replace(self, seat: Seat, why: str) -> None:
        place = self._seats.index(seat)
        self._note(f"worker {place} {why}: a new one takes its place")
        seat.worker.kill()
        seat.worker = self._start(place)

    def _hand_over(self, seat: Seat) -> None:
        assert seat.task is not None
        seat.began, seat.stop_sent = self._clock(), None
        seat.first_began = seat.began if seat.first_began is None else seat.first_began
        seat.ask(slice_message(seat.task))

    def _listen(self, seat: Seat) -> None:
        try:
            message = seat.worker.receive()
            if message is not None:
                self._take(seat, message)
        except WorkerDied as death:
            self._bury(seat, str(death))

    def _take(self, seat: Seat, message: Mapping[str, Any]) -> None:
        """What a worker says.

        Raises:
            WorkerDied: that was no answer to what it was asked.
            RunError: it refused.
        """
        if "ready" in message:
            self._begin(seat)
        elif seat.worker.ready and message.get("number") != seat.number:
            return  # the second answer to an earlier question
        elif "result" in message:
            kept = sensible_result(seat, message["result"])
            self._end(seat, kept)
            if kept.failure == "oom":
                self._replace(seat, "ran out of memory")
            elif "CUDA error" in (kept.error or ""):  # the device is lost to this process for every later slice
                self._replace(seat, "lost its device")
            elif kept.error is not None and self._setup.ranks > 1:  # nobody knows how far the others of its group are
                self._replace(seat, "failed in the middle of a slice")
        elif "lost" in message:
            self._end(seat, None, lost=str(message["lost"]))
        elif "abandoned" in message:
            self._end(seat, self._given_up(seat))
        elif "refused" in message:
            seat.task = None
            raise _refusal(message)
        else:
            raise WorkerDied(NONSENSE)

    def _begin(self, seat: Seat) -> None:
        """The worker has loaded everything: only from now on does its slice take time."""
        seat.worker.ready, seat.stillborn = True, 0
        seat.first_began = self._clock() if seat.deaths == 0 else seat.first_began
        seat.began = self._clock()

    def _bury(self, seat: Seat, cause: str) -> None:
        """Put another worker in the dead one's place; it repeats the slice, unless that is to blame."""
        if not seat.worker.ready:
            self._bury_stillborn(seat, cause)
            return
        task, from_step = seat.task, seat.task.from_step if seat.task else 0
        self._replace(seat, cause)
        seat.deaths += 1
        if task is None:
            return
        if seat.deaths < MOST_DEATHS:
            self._hand_over(seat)
        else:
            error = f"{seat.deaths} workers ended in this slice; the last {cause}"
            self._end(seat, SliceResult.failed(from_step, error, wall_seconds=self._clock() - seat.began))

    def _bury_stillborn(self, seat: Seat, cause: str) -> None:
        """Try once more to load, since that is nothing that the slice could be blamed for."""
        seat.stillborn += 1
        cause = f"{cause} while it loaded the model"
        if seat.stillborn == MOST_DEATHS:
            raise RunError(f"a worker {cause}, {MOST_DEATHS} times in a row", hint=f"see {self._logs}")
        self._replace(seat, cause)
        if seat.task is not None:
            self._hand_over(seat)

    def _watch(self, seat: Seat, should_stop: ShouldStop) -> None:
        """Ask a slice to stop that is to or has taken too long; end a worker that hangs or does not listen."""
        if seat.task is None:
            return
        if self._hangs(seat):
            self._bury(seat, f"has used no processor time for {IDLE_SECONDS:.0f} s")
            return
        if not seat.worker.ready:
            return
        if seat.stop_sent is None:
            if self._is_late(seat) or should_stop(seat.task):
                seat.stop_sent = self._clock()
                seat.worker.send(STOP)
        elif self._clock() - seat.stop_sent > GRACE_SECONDS:
            result = self._given_up(seat)
            self._replace(seat, "does not answer")
            self._end(seat, result)

    def _hangs(self, seat: Seat) -> bool:
        return seat.worker.idle_seconds(self._clock()) > IDLE_SECONDS

    def _is_late(self, seat: Seat) -> bool:
        limit = seat.task.limit_seconds if seat.task else None
        return limit is not None and self._clock() - seat.began > limit

    def _given_up(self, seat: Seat) -> SliceResult | None:
        assert seat.task is not None
        return over_time(seat.task, self._clock() - seat.began) if self._is_late(seat) else None

    def _end(self, seat: Seat, result: SliceResult | None, lost: str | None = None) -> None:
        assert seat.task is not None and seat.first_began is not None
        self._ended.append(Finished(seat.task, result, self._clock() - seat.first_began, lost))
        seat.task = None

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the first worker and wait; a second one where the first dies over it.

        Raises:
            RunError: that one died too, or refused.
        """
        seat = self._seats[0]
        for _ in range(MOST_DEATHS):
            seat.ask(message)
            try:
                return self._answer(seat)
            except WorkerDied as death:
                cause = str(death)
                self._replace(seat, cause)
        raise RunError(f"a worker {cause}, twice over the same work", hint=f"see {self._logs}")

    def _answer(self, seat: Seat) -> dict[str, Any]:
        while True:
            if not (seat.worker.has_message or select.select([seat.worker], [], [], TICK_SECONDS)[0]):
                if self._hangs(seat):
                    raise WorkerDied(f"has used no processor time for {IDLE_SECONDS:.0f} s")
                continue
            message = seat.worker.receive()
            if message is None:
                continue
            if "ready" in message:
                seat.worker.ready = True
            elif seat.worker.ready and message.get("number") != seat.number:
                continue
            elif "lost" in message:
                raise DamagedStateError(str(message["lost"]))
            elif "refused" in message:
                raise _refusal(message)
            else:
                return message


def _refusal(message: Mapping[str, Any]) -> RunError:
    return RunError(str(message["refused"]), hint=message.get("hint"))
