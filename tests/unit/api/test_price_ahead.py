"""Two processes answer what one would, whatever becomes of the second."""

import os
from collections.abc import Iterator
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
from autopeft.memory.cache import EstimateCache
from autopeft.memory.estimate import Question, TracingEstimator
from autopeft.memory.remote import RemoteTracer, WorkerGone
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
    """Stands in for the process; `answers` questions are answered before it is gone."""

    answers = 10**6
    opened = 0
    asked: list[str]

    def __init__(self, local: TracingEstimator) -> None:
        self._local = local
        self._left = self.answers
        FakeRemote.opened += 1
        FakeRemote.asked = []

    can_stand_in_for = staticmethod(RemoteTracer.can_stand_in_for)

    def __enter__(self) -> "FakeRemote":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, *given: Any) -> Any:
        if not self._left:
            raise WorkerGone("gone")
        self._left -= 1
        FakeRemote.asked.append(given[2].id)
        return self._local.answer(Question(*given), lambda q: {"error": f"no {q.method.id}", "hint": None})


@pytest.fixture(autouse=True)
def two_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AUTOPEFT_WORKERS", "2")
    FakeRemote.answers, FakeRemote.opened = 10**6, 0
    return


@pytest.mark.parametrize("answers", [10**6, 2, 0])
def test_everything_is_known_afterwards_whoever_answered(answers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RemoteTracer", FakeRemote)
    FakeRemote.answers = answers
    local = Kept()
    price_ahead(local, [partial(ask, method) for method in METHODS])
    for method in METHODS:
        with pytest.raises(ModelError, match=f"no {method}"):
            ask(method, local)
    assert sorted(local.traced + FakeRemote.asked) == sorted(METHODS), "each is traced once"
    assert FakeRemote.opened == 1


def test_what_is_known_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RemoteTracer", FakeRemote)
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


@pytest.mark.slow
def test_the_other_process_answers_as_this_one(tmp_path: Path) -> None:
    local = TracingEstimator(load_catalog(), cache=EstimateCache(tmp_path))
    alone = TracingEstimator(load_catalog(), cache=False)
    with RemoteTracer(local) as remote:
        assert ask("lora", remote) == ask("lora", alone)
        with pytest.raises(ModelError) as there:
            ask("bitfit", remote)
        with pytest.raises(ModelError) as here:
            ask("bitfit", alone)
        assert there.value.message == here.value.message
        process = remote._process
        os.kill(process.pid, 9)
        process.wait()
        with pytest.raises(WorkerGone):
            ask("dora", remote)
    assert process.returncode is not None
    assert ask("lora", local) == ask("lora", alone)
