"""Several processes answer what one would, whatever becomes of them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autopeft.api import price_ahead as module
from autopeft.api.price_ahead import count_workers, price_ahead
from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import Estimator, StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError, UsageError
from autopeft.memory import remote
from autopeft.memory.cache import EstimateCache
from autopeft.memory.estimate import Question, TracingEstimator
from autopeft.memory.remote import WorkerGone, remote_tracers
from autopeft.memory.worker import as_plain, from_plain

CONFIG = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 100,
}
SHAPE = StepShape(batch_size=2, max_length=16)
METHODS = ("lora", "lora-all", "rslora", "dora", "ia3", "ln-tuning", "houlsby", "prompt-tuning", "bitfit")


def question(method: str) -> Question:
    catalog = load_catalog()
    spec = catalog.methods[method]
    return Question(ModelSpec("tiny", CONFIG), catalog.tasks["causal-lm"], spec, spec.start(10**6), SHAPE)


def ask(method: str, estimator: Estimator) -> dict[str, Any]:
    one = question(method)
    return estimator(one.model, one.task, one.method, one.hyperparameters, one.shape).to_dict()


class Kept(TracingEstimator):
    """Answers with made-up figures and notes who was asked."""

    def __init__(self) -> None:
        super().__init__(load_catalog(), cache=False)
        self.traced: list[str] = []

    def trace(self, question: Question) -> dict[str, Any]:
        self.traced.append(question.method.id)
        return {"error": f"no {question.method.id}", "hint": None}


class FakeRemote:
    """Stands in for a process; `answers` questions are answered before it is gone."""

    answers = 10**6
    opened = 0
    asked: list[str]

    def __init__(self, local: TracingEstimator) -> None:
        self._local = local
        self._left = self.answers
        FakeRemote.opened += 1

    def __call__(self, *given: Any) -> Any:
        if not self._left:
            raise WorkerGone("gone")
        self._left -= 1
        FakeRemote.asked.append(given[2].id)
        return self._local.answer(Question(*given), lambda q: {"error": f"no {q.method.id}", "hint": None})


@contextmanager
def fake_tracers(local: TracingEstimator, count: int) -> Iterator[list[FakeRemote]]:
    yield [FakeRemote(local) for _ in range(count)]


@pytest.fixture(autouse=True)
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOPEFT_WORKERS", "2")
    FakeRemote.answers, FakeRemote.opened, FakeRemote.asked = 10**6, 0, []


@pytest.mark.parametrize("answers", [10**6, 2, 0])
def test_everything_is_known_afterwards_whoever_answered(answers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "remote_tracers", fake_tracers)
    FakeRemote.answers = answers
    local = Kept()
    price_ahead(local, [partial(ask, method) for method in METHODS])
    for method in METHODS:
        with pytest.raises(ModelError, match=f"no {method}"):
            ask(method, local)
    assert sorted(local.traced + FakeRemote.asked) == sorted(METHODS), "each is traced once"
    assert FakeRemote.opened == 2
    if answers > len(METHODS):
        assert not local.traced, "this process only waits"


def test_what_is_known_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "remote_tracers", fake_tracers)
    local = Kept()
    for method in METHODS[:-3]:
        with pytest.raises(ModelError):
            ask(method, local)
    price_ahead(local, [partial(ask, method) for method in METHODS])
    assert FakeRemote.opened == 0


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("2", 2), ("16", 4)])
def test_the_environment_says_how_many(text: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOPEFT_WORKERS", text)
    assert count_workers() == count


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_a_count_that_makes_no_sense_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOPEFT_WORKERS", text)
    with pytest.raises(UsageError, match="AUTOPEFT_WORKERS"):
        count_workers()


def test_a_question_survives_the_way_to_the_other_process() -> None:
    asked = question("lora")
    assert from_plain(as_plain(asked), load_catalog()) == asked


def test_a_machine_that_starts_no_process_prices_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no process")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    local = Kept()
    price_ahead(local, [partial(ask, method) for method in METHODS])
    with pytest.raises(ModelError, match="no lora"):
        ask("lora", local)


@pytest.mark.slow
def test_the_other_processes_answer_as_this_one(tmp_path: Path) -> None:
    local = TracingEstimator(load_catalog(), cache=EstimateCache(tmp_path))
    alone = TracingEstimator(load_catalog(), cache=False)
    with remote_tracers(local, 2) as (first, second):
        assert ask("lora", first) == ask("lora", alone)
        assert ask("c3a", second) == ask("c3a", alone)
        with pytest.raises(ModelError) as there:
            ask("bitfit", second)
        with pytest.raises(ModelError) as here:
            ask("bitfit", alone)
        assert there.value.message == here.value.message
    with pytest.raises(WorkerGone):
        ask("dora", first)
    assert ask("lora", local) == ask("lora", alone)


def forks_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The other living processes of its group, by the system's own table."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, group = (entry / "stat").read_text().rpartition(") ")[2].split()[:3]
            if int(group) == process.pid != int(entry.name) and state != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each process imports for itself")
def test_one_that_dies_is_missed_at_once_and_none_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = remote._started

    def note(sockets: Sequence[socket.socket]) -> subprocess.Popen[bytes]:
        started.append(start(sockets))
        return started[-1]

    monkeypatch.setattr(remote, "_started", note)
    local = TracingEstimator(load_catalog(), cache=EstimateCache(tmp_path))
    with remote_tracers(local, 2) as tracers:
        assert [ask(method, tracer)["method"] for method, tracer in zip(("lora", "dora"), tracers, strict=True)]
        (forked,) = forks_of(started[0])
        os.kill(forked, signal.SIGKILL)
        answered = []
        for method, tracer in zip(("ia3", "ln-tuning"), tracers, strict=True):
            with suppress(WorkerGone):
                answered.append(ask(method, tracer))
        assert len(answered) == 1, "the other one goes on"
        assert not forks_of(started[0])
    assert started[0].returncode is not None
