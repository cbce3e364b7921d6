"""Whom the search blames for an actor's death, without a cluster."""

import socket
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autopeft.domain.trials import TrialSpec
from autopeft.errors import RunError
from autopeft.execution import ray_cluster, ray_session
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.messages import encode
from autopeft.execution.protocol import SliceTask
from autopeft.execution.ray_cluster import RayExecutor


class Gone(Exception):
    """What Ray raises for an actor that is dead."""


class OneActor:
    """Ray, and its only actor: each answer is one of those given, or a death."""

    exceptions = SimpleNamespace(RayError=Gone)
    head = "127.0.0.1:1"  # nobody listens there

    def __init__(self, answers: Sequence[dict[str, Any] | None]) -> None:
        self._answers = list(answers)
        self.load = self.do = SimpleNamespace(remote=lambda message: object())

    def remote(self, worker: type | None = None) -> "OneActor":
        """The class of the actor, and the actor."""
        return self

    def options(self, **asked: object) -> "OneActor":
        """Whatever is asked for."""
        return self

    def cluster_resources(self) -> dict[str, float]:
        """No GPUs."""
        return {}

    def wait(self, references: list[object], timeout: float) -> tuple[list[object], list[object]]:
        """All is there at once."""
        return references, []

    def get(self, reference: object) -> bytes:
        """The next answer."""
        answer = self._answers.pop(0)
        if answer is None:
            raise Gone("killed")
        return encode(answer)

    def kill(self, actor: object) -> None:
        """Nothing to do."""

    def get_runtime_context(self) -> SimpleNamespace:
        """Where the head is."""
        return SimpleNamespace(gcs_address=self.head)


def executor(monkeypatch: pytest.MonkeyPatch, answers: Sequence[dict[str, Any] | None]) -> RayExecutor:
    monkeypatch.setattr(ray_cluster, "connected", lambda *asked: OneActor(answers))
    made = RayExecutor(WorkerSetup("m", "t", "d", {}), 1, "auto", note=lambda text: None)
    made.submit(SliceTask(TrialSpec(0, "lora", {}, 0), Path("trial"), 0, 4))
    return made


def test_actors_that_never_load_end_the_run_and_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match="while it loaded the model, 2 times in a row"):
        executor(monkeypatch, [None, None]).wait(lambda task: False)


def test_a_slice_that_kills_its_actors_is_a_failed_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = {"ready": True}
    answers = [None, ready, None, None, ready, None]  # a death while loading, on either side, is not the slice's
    result = executor(monkeypatch, answers).wait(lambda task: False).result
    assert result is not None
    assert "2 actors ended in this slice" in str(result.error)


def test_a_head_that_has_gone_ends_the_run_before_ray_ends_the_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        now = [0.0]
        head = ray_session.Head(f"127.0.0.1:{server.getsockname()[1]}", lambda: now[0])
        now[0] += 100
        head.look()
    for _ in range(ray_session.MOST_SILENT_LOOKS - 1):
        now[0] += ray_session.LOOK_SECONDS
        head.look()
        head.look()  # it is not time yet
        assert not head.gone
    now[0] += ray_session.LOOK_SECONDS
    with pytest.raises(RunError, match="head does not answer") as told:
        head.look()
    assert "autopeft resume" in str(told.value.hint)
    assert head.gone


@pytest.mark.parametrize(
    "kind", [ConnectionError, type("RaySystemError", (Exception,), {"__module__": "ray.exceptions"})]
)
def test_what_ray_raises_of_itself_is_told_in_a_line(kind: type[Exception]) -> None:
    with pytest.raises(RunError, match="no socket"), ray_session.cluster_there():
        raise kind("no socket")
    with pytest.raises(ZeroDivisionError), ray_session.cluster_there():
        raise ZeroDivisionError
