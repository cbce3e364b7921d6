"""A trial that several processes train, its model divided over them, comes to what one process comes to."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autopeft.api.preparation import load_data, load_worker, read_subject
from autopeft.catalog import load_catalog
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import SliceResult, Split, TrialSpec
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.pool import WorkerPool
from autopeft.execution.protocol import SliceTask

PLAN = TrainingPlan(batch_size=8, full_steps=8, rung_steps=(4, 8), seeds=(0,), autocast=None, rung_rows=16)
CATALOG = load_catalog()
RANKS = 2
SHARDED = sorted(method.id for method in CATALOG.methods.values() if method.can("sharded"))
# One that every push tries: weights, norms and a head that train, in layers and outside of them.
TRIED_ALWAYS = "full"


@pytest.fixture(scope="module")
def alone(material: Path, tmp_path_factory: pytest.TempPathFactory) -> InProcessExecutor:
    request = SearchRequest(
        model=str(material / "models" / "stories260k"), dataset=str(material / "data" / "sst2"),
        task="sequence-classification", max_train_rows=64, max_evaluation_rows=30,
    )  # fmt: skip
    subject = read_subject(request, CATALOG)
    data = load_data(request, subject, None, tmp_path_factory.mktemp("data"))
    return InProcessExecutor(load_worker(subject, data.encoded, CATALOG, PLAN, threads=1), measure=False)


@pytest.fixture(scope="module")
def notes() -> list[str]:
    return []


@pytest.fixture(scope="module")
def group(
    alone: InProcessExecutor, material: Path, notes: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerPool]:
    model, data = material / "models" / "stories260k", alone.worker.data.folder
    setup = WorkerSetup(str(model), alone.worker.task.id, str(data), PLAN.to_dict(), threads=1, ranks=RANKS)
    made = WorkerPool(setup, 1, tmp_path_factory.mktemp("logs"), note=notes.append)
    yield made
    made.close()


def spec_of(method: str) -> TrialSpec:
    """At its defaults, without dropout, which each process draws for itself."""
    knobs = CATALOG.methods[method].knobs
    values = {knob.name: 0.0 if "dropout" in knob.name else knob.default for knob in knobs}
    return TrialSpec(0, method, values, 0)


def run(executor: InProcessExecutor | WorkerPool, spec: TrialSpec, folder: Path, from_step: int) -> SliceResult:
    executor.submit(SliceTask(spec, folder, from_step, from_step + 4))
    result = executor.wait(lambda task: False).result
    assert result is not None
    assert result.error is None
    return result


def numbers(result: SliceResult) -> list[float]:
    assert result.validation_loss is not None
    return [result.validation_loss, *(loss for _, loss in result.train_losses), *result.row_scores]


@pytest.mark.parametrize(
    "method",
    [pytest.param(one, marks=() if one == TRIED_ALWAYS else pytest.mark.slow) for one in SHARDED],
)
def test_processes_that_share_a_model_train_it_as_one_does(
    method: str, alone: InProcessExecutor, group: WorkerPool, tmp_path: Path
) -> None:
    """Over a pause, too: what one of them left, the other goes on with."""
    spec = spec_of(method)
    accumulated = replace(spec, split=Split(RANKS))
    first, together = run(alone, accumulated, tmp_path / "alone", 0), run(group, spec, tmp_path / "group", 0)
    assert numbers(together) == pytest.approx(numbers(first), abs=1e-4)
    second, further = run(alone, accumulated, tmp_path / "alone", 4), run(group, spec, tmp_path / "group", 4)
    assert numbers(further) == pytest.approx(numbers(second), abs=1e-4)
    assert group.test(spec, tmp_path / "group", 8).loss == pytest.approx(
        alone.test(accumulated, tmp_path / "group", 8).loss, abs=1e-4
    )
    group.export(spec, tmp_path / "group", 8, tmp_path / "exported")
    assert list((tmp_path / "exported").glob("*.safetensors"))


def followers(worker: int) -> list[int]:
    """The processes that a worker has started."""
    threads = Path(f"/proc/{worker}/task").iterdir()
    found = [one for thread in threads for one in (thread / "children").read_text().split()]
    return [int(one) for one in found if b"follower" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("who", ["follower", "first"])
def test_a_slice_is_redone_where_one_of_its_processes_is_killed(
    who: str, group: WorkerPool, notes: list[str], tmp_path: Path
) -> None:
    notes.clear()
    spec = spec_of(TRIED_ALWAYS)
    expected = run(group, spec, tmp_path / "undisturbed", 0)
    worker = group.process_ids[0]
    (other,) = followers(worker)
    victim = other if who == "follower" else worker
    threading.Timer(0.05, os.kill, (victim, signal.SIGKILL)).start()
    assert numbers(run(group, spec, tmp_path / "killed", 0)) == numbers(expected)
    assert len(notes) == 1
    until = time.monotonic() + 30
    while Path(f"/proc/{other}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{other}").exists(), "nobody is left behind"


@pytest.mark.slow
def test_a_step_that_fails_is_told_and_the_next_trial_trains(group: WorkerPool, tmp_path: Path) -> None:
    spec = spec_of(TRIED_ALWAYS)
    bad = replace(spec, hyperparameters={**spec.hyperparameters, "learning_rate": float("nan")})
    group.submit(SliceTask(bad, tmp_path / "bad", 0, 4))
    result = group.wait(lambda task: False).result
    assert result is not None
    assert result.failure == "failed"
    group.submit(SliceTask(spec, tmp_path / "stopped", 0, 8))
    assert group.wait(lambda task: True).result is None
    assert run(group, spec, tmp_path / "good", 0).validation_loss is not None
