"""Slices run by warm actors on a Ray cluster; one whose process or node goes is replaced, and its slice redone.

The run directory must lie on a file system that all nodes share, under the same path, and so must the model: states
travel through it, and Ray carries only messages.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import DamagedStateError, RunError
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.messages import decode, encode, evaluation_from, slice_message, trained_message
from autopeft.execution.protocol import Finished, ShouldStop, SliceTask, over_time
from autopeft.execution.ray_session import Head, cause_of, cluster_there, connected, gpus_for_each
from autopeft.execution.ray_worker import RayWorker

TICK_SECONDS = 0.1
# An actor that was asked to stop answers between two steps; one that takes so much longer hangs.
GRACE_SECONDS = 30.0
# A slice in which so many actors have died is to blame for it itself; nodes that are taken away do not count.
MOST_DEATHS = 2
# After so long without a place for an actor, the user is told what the search waits for.
PLACE_SECONDS = 30.0


@dataclass(slots=True)
class _Place:
    """An actor, and what it is asked.

    Attributes:
        actor: its handle.
        pending: reference to the answer that is awaited, or None.
        began: on the clock: when it was asked for `pending`.
        ready: whether it has loaded.
        task: the slice that is to be run here, or None.
        task_began: on the clock, before anything was repeated.
        deaths: of actors over this task.
        stillborn: actors in a row that died before they had loaded.
        stop_sent: on the clock, or None.
        told: whether the user knows that there is no place for it.
        number: of the last question.
    """

    actor: Any
    pending: Any
    began: float
    ready: bool = False
    task: SliceTask | None = None
    task_began: float = 0.0
    deaths: int = 0
    stillborn: int = 0
    stop_sent: float | None = None
    told: bool = False
    number: int = 0

    def ask(self, message: Mapping[str, Any]) -> Any:
        """A reference to the answer."""
        self.number += 1
        return self.actor.do.remote(encode({**message, "number": self.number}))


class RayExecutor:
    """An executor over `actors` Ray actors, one slice each at a time.

    Args:
        setup: what every actor loads.
        actors: how many there are.
        address: of the cluster as `ray.init` takes it; `local` starts one in this machine and stops it in the end.
        gpus_each: GPUs, or a share of one, that Ray keeps for each; None takes one where the cluster has any.
        note: is told when an actor had to be replaced.
        clock: gives seconds that never go backwards.

    Raises:
        MissingDependencyError: Ray is not installed.
        RunError: there is no cluster at the address, or it has too few GPUs.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        actors: int,
        address: str,
        *,
        gpus_each: float | None = None,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots = actors
        cpus = (setup.threads or 1) * setup.ranks
        self._ray = connected(address, actors, cpus)
        self._setup, self._ranks = encode(setup.to_dict()), setup.ranks
        self._note = note
        self._clock = clock
        self._ended: list[Finished] = []
        self._places: list[_Place] = []
        with cluster_there():
            self._head = Head(self._ray.get_runtime_context().gcs_address, clock)
            gpus = gpus_for_each(self._ray, gpus_each, actors)
            options = {"num_gpus": gpus, "num_cpus": cpus, "max_concurrency": 2, "max_restarts": 0}
            self._actor_class = self._ray.remote(RayWorker).options(**options)
            for _ in range(actors):
                self._places.append(self._begun())

    @property
    def process_ids(self) -> list[int]:
        """Of the actors, once they have a place."""
        found: list[int] = self._ray.get([place.actor.process_id.remote() for place in self._places])
        return found

    def submit(self, task: SliceTask) -> None:
        """See `Executor.submit`."""
        place = next(place for place in self._places if place.task is None)
        place.task, place.task_began, place.deaths = task, self._clock(), 0
        if place.ready:
            self._hand_over(place)

    def wait(self, should_stop: ShouldStop) -> Finished:
        """See `Executor.wait`."""
        while not self._ended:
            with cluster_there():
                self._look(should_stop)
            self._head.look()
        return self._ended.pop(0)

    def test(self, spec: TrialSpec, folder: Path, step: int) -> Evaluation:
        """See `Executor.test`."""
        return evaluation_from(self._ask(trained_message("test", spec, folder.absolute(), step))["evaluation"])

    def export(self, spec: TrialSpec, folder: Path, step: int, target: Path) -> None:
        """See `Executor.export`."""
        self._ask({**trained_message("export", spec, folder.absolute(), step), "target": str(target.absolute())})

    def close(self) -> None:
        """See `Executor.close`; a cluster that was started here ends, another one gets its places back."""
        places, self._places = self._places, []
        if self._head.gone:  # it would be waited for, and there is a report to write
            return
        for place in places:
            self._ray.kill(place.actor)
        self._ray.shutdown()

    def _look(self, should_stop: ShouldStop) -> None:
        """Take the answers that are there, and see to who is late."""
        awaited = {place.pending: place for place in self._places if place.pending is not None}
        answered, _ = self._ray.wait([*awaited], timeout=TICK_SECONDS)
        for reference in answered:
            self._listen(awaited[reference])
        for place in self._places:
            self._watch(place, should_stop)

    def _begun(self) -> _Place:
        actor = self._actor_class.remote()
        return _Place(actor, actor.load.remote(self._setup), self._clock())

    def _replace(self, place: _Place, why: str) -> None:
        self._note(f"actor {self._places.index(place)} {why}: a new one takes its place")
        self._ray.kill(place.actor)
        fresh = self._begun()
        place.actor, place.pending, place.began = fresh.actor, fresh.pending, fresh.began
        place.ready, place.stop_sent, place.told = False, None, False

    def _hand_over(self, place: _Place) -> None:
        assert place.task is not None
        message = slice_message(place.task) | {"folder": str(place.task.folder.absolute())}
        place.pending, place.began, place.stop_sent = place.ask(message), self._clock(), None

    def _listen(self, place: _Place) -> None:
        try:
            message = decode(self._ray.get(place.pending))
        except self._ray.exceptions.RayError as error:
            self._bury(place, error)
            return
        place.pending = None
        match message:
            case {"ready": _}:
                place.ready, place.stillborn = True, 0
                if place.task is not None:
                    self._hand_over(place)
            case {"result": result}:
                self._keep(place, SliceResult.from_dict(result))
            case {"abandoned": _}:
                self._end(place, self._given_up(place))
            case {"lost": why}:
                self._end(place, None, lost=why)
            case _:
                place.task = None
                raise RunError(message["refused"], hint=message["hint"])

    def _keep(self, place: _Place, result: SliceResult) -> None:
        self._end(place, result)
        if result.failure == "oom":
            self._replace(place, "ran out of memory")
        elif "CUDA error" in (result.error or ""):  # the device is lost to this process for every later slice
            self._replace(place, "lost its device")
        elif result.error is not None and self._ranks > 1:  # nobody knows how far the others of its group are
            self._replace(place, "failed in the middle of a slice")

    def _bury(self, place: _Place, error: Any) -> None:
        """Put another actor in the dead one's place; it redoes the slice, unless that is to blame."""
        cause, loaded = cause_of(error), place.ready
        self._replace(place, cause)
        if getattr(error, "preempted", False):
            return
        if not loaded:  # nothing that the slice could be blamed for
            place.stillborn += 1
            if place.stillborn == MOST_DEATHS:
                cause = f"{cause} while it loaded the model, {MOST_DEATHS} times in a row"
                raise RunError(f"an actor {cause}", hint="see the logs of the Ray cluster")
            return
        place.deaths += 1
        if place.task is None or place.deaths < MOST_DEATHS:
            return
        text = f"{place.deaths} actors ended in this slice; the last {cause}"
        failed = SliceResult.failed(place.task.from_step, text, wall_seconds=self._clock() - place.task_began)
        self._end(place, failed)

    def _watch(self, place: _Place, should_stop: ShouldStop) -> None:
        """Ask a slice to stop that is to or has taken too long; end an actor that does not listen."""
        waited = self._clock() - place.began
        if not place.ready and not place.told and waited > PLACE_SECONDS:
            place.told = True
            self._note(f"waiting for actor {self._places.index(place)}: the cluster has no free place, or loads slowly")
        if place.task is None:
            return
        if not place.ready:
            if should_stop(place.task):
                self._end(place, None)
        elif place.stop_sent is None:
            if self._is_late(place) or should_stop(place.task):
                place.stop_sent = self._clock()
                place.actor.stop.remote(place.number)
        elif self._clock() - place.stop_sent > GRACE_SECONDS:
            self._end(place, self._given_up(place))
            self._replace(place, "does not answer")

    def _is_late(self, place: _Place) -> bool:
        limit = place.task.limit_seconds if place.task else None
        return limit is not None and self._clock() - place.began > limit

    def _given_up(self, place: _Place) -> SliceResult | None:
        assert place.task is not None
        return over_time(place.task, self._clock() - place.began) if self._is_late(place) else None

    def _end(self, place: _Place, result: SliceResult | None, lost: str | None = None) -> None:
        assert place.task is not None
        self._ended.append(Finished(place.task, result, self._clock() - place.task_began, lost))
        place.task = None

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the first actor and wait; a second one where the first dies over it.

        Raises:
            DamagedStateError: the checkpoint cannot be used.
            RunError: that one died too, or refused.
        """
        place = self._places[0]
        cause = ""
        for _ in range(MOST_DEATHS):
            try:
                if not place.ready:
                    self._listen_to_start(place)
                answer = decode(self._ray.get(place.ask(message)))
            except self._ray.exceptions.RayError as error:
                cause = cause_of(error)
                self._replace(place, cause)
                continue
            if "lost" in answer:
                raise DamagedStateError(answer["lost"])
            if "refused" in answer:
                raise RunError(answer["refused"], hint=answer["hint"])
            return answer
        raise RunError(f"an actor {cause}, twice over the same work", hint="see the logs of the Ray cluster")

    def _listen_to_start(self, place: _Place) -> None:
        message = decode(self._ray.get(place.pending))
        if "refused" in message:
            raise RunError(message["refused"], hint=message["hint"])
        place.ready, place.pending = True, None
