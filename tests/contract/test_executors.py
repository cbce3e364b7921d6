"""Every executor keeps the promise of `Executor`, and a pool also outlives what its workers do."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autopeft.api.preparation import load_data, load_worker, read_subject
from autopeft.catalog import load_catalog
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import DamagedStateError, RunError
from autopeft.execution import pool as pools
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.pool import WorkerPool
from autopeft.execution.protocol import Executor, SliceTask
from autopeft.execution.ray_cluster import RayExecutor
from autopeft.training.checkpoint import checkpoint_path
from autopeft.training.worker import Worker

PLAN = TrainingPlan(batch_size=8, full_steps=8, rung_steps=(4, 8), seeds=(0,), autocast=None, rung_rows=16)
SPEC = TrialSpec(0, "bitfit", {"learning_rate": 1e-2, "weight_decay": 0.0}, 0)
NEVER = 10**6
MEASURED_BY_A_CLOCK = ("train_seconds", "evaluation_seconds", "wall_seconds")


@pytest.fixture(scope="module")
def worker(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Worker:
    model = str(material / "models" / "minilm-tiny-distilled")
    request = SearchRequest(
        model=model, dataset=str(material / "data" / "sst2"), task="", max_train_rows=64, max_evaluation_rows=32
    )
    catalog = load_catalog()
    subject = read_subject(request, catalog)
    data = load_data(request, subject, None, tmp_path_factory.mktemp("data"))
    return load_worker(subject, data.encoded, catalog, PLAN, threads=1)


@pytest.fixture(scope="module")
def setup(worker: Worker, material: Path) -> WorkerSetup:
    model = str(material / "models" / "minilm-tiny-distilled")
    return WorkerSetup(model, worker.task.id, str(worker.data.folder), PLAN.to_dict(), threads=1)


@pytest.fixture(scope="module")
def in_process(worker: Worker) -> InProcessExecutor:
    return InProcessExecutor(worker)


@pytest.fixture(scope="module")
def notes() -> list[str]:
    return []


@pytest.fixture(scope="module")
def pool(setup: WorkerSetup, notes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    made = WorkerPool(setup, 1, tmp_path_factory.mktemp("logs"), note=notes.append)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ray(setup: WorkerSetup, notes: list[str]) -> Iterator[RayExecutor]:
    """A cluster of one machine, with one actor."""
    pytest.importorskip("ray")
    made = RayExecutor(setup, 1, "local", note=notes.append)
    yield made
    made.close()


@pytest.fixture(params=["in_process", "pool", pytest.param("ray", marks=pytest.mark.slow)])
def executor(request: pytest.FixtureRequest) -> Executor:
    made: Executor = request.getfixturevalue(request.param)
    return made


def run(
    executor: Executor, folder: Path, to_step: int = 4, from_step: int = 0, spec: TrialSpec = SPEC,
    limit_seconds: float | None = None, during: Callable[[], bool] = lambda: False,
) -> SliceResult | None:  # fmt: skip
    """One slice; `during` is asked while it runs whether to stop it."""
    executor.submit(SliceTask(spec, folder, from_step, to_step, limit_seconds))
    finished = executor.wait(lambda task: during())
    assert finished.task.folder == folder
    return finished.result


def without_times(result: SliceResult | None) -> SliceResult:
    assert result is not None
    return replace(result, **dict.fromkeys(MEASURED_BY_A_CLOCK, 0.0))


@pytest.fixture(scope="module")
def expected(in_process: InProcessExecutor, tmp_path_factory: pytest.TempPathFactory) -> SliceResult:
    """The first slice of the trial."""
    return without_times(run(in_process, tmp_path_factory.mktemp("expected")))


def test_a_slice_gives_the_same_wherever_it_runs(executor: Executor, expected: SliceResult, tmp_path: Path) -> None:
    assert without_times(run(executor, tmp_path)) == expected
    assert run(executor, tmp_path, to_step=8, from_step=4) is not None


def test_the_test_split_and_the_adapter_are_the_same_wherever_they_are_made(
    in_process: InProcessExecutor, pool: WorkerPool, tmp_path: Path
) -> None:
    run(in_process, tmp_path)
    assert pool.test(SPEC, tmp_path, 4) == in_process.test(SPEC, tmp_path, 4)
    for name, executor in (("here", in_process), ("there", pool)):
        executor.export(SPEC, tmp_path, 4, tmp_path / name)
    here, there = (tmp_path / name / "adapter_model.safetensors" for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()


def test_a_trial_whose_checkpoint_is_damaged_is_trained_again_to_the_same(executor: Executor, tmp_path: Path) -> None:
    run(executor, tmp_path / "whole")
    whole = without_times(run(executor, tmp_path / "whole", to_step=8, from_step=4))
    run(executor, tmp_path / "damaged")
    path = checkpoint_path(tmp_path / "damaged" / "checkpoint", 4)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    task = SliceTask(SPEC, tmp_path / "damaged", 4, 8)
    executor.submit(task)
    finished = executor.wait(lambda task: False)
    assert finished.result is None
    assert "checksum" in str(finished.lost)
    with pytest.raises(DamagedStateError, match="checksum"):
        executor.test(SPEC, tmp_path / "damaged", 4)
    executor.submit(replace(task, restart=True))
    assert without_times(executor.wait(lambda task: False).result) == whole


def test_what_goes_wrong_in_a_trial_is_in_its_result(executor: Executor, tmp_path: Path) -> None:
    result = run(executor, tmp_path, spec=replace(SPEC, hyperparameters={"learning_rate": float("nan")}))
    assert result is not None
    assert result.failure == "failed"
    assert result.error


def test_a_slice_that_is_to_stop_is_abandoned_and_nothing_of_it_is_kept(executor: Executor, tmp_path: Path) -> None:
    assert run(executor, tmp_path, to_step=NEVER, during=lambda: True) is None
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_slice_over_its_time_is_a_failed_trial(executor: Executor, tmp_path: Path) -> None:
    result = run(executor, tmp_path, to_step=NEVER, limit_seconds=0.2)
    assert result is not None
    assert result.failure == "failed"
    assert "longer than" in str(result.error)


def test_an_impossible_folder_ends_the_run_and_not_the_trial(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        run(executor, tmp_path / "file")


def killer(pool: WorkerPool, number: int, times: int) -> Callable[[], bool]:
    """Sends the signal to the worker, once for each of the first `times` processes that it sees."""
    seen: set[int] = set()

    def during() -> bool:
        (process_id,) = pool.process_ids
        if process_id not in seen and len(seen) < times:
            seen.add(process_id)
            os.kill(process_id, number)
        return False

    return during


def test_a_killed_worker_is_replaced_and_its_slice_repeated(
    pool: WorkerPool, expected: SliceResult, notes: list[str], tmp_path: Path
) -> None:
    pool.submit(SliceTask(SPEC, tmp_path, 0, 4))
    (process_id,) = pool.process_ids
    # At once: the slice would be over within the first tick of `wait`.
    os.kill(process_id, signal.SIGKILL)
    assert without_times(pool.wait(lambda task: False).result) == expected
    assert any("killed by SIGKILL" in note and "new one" in note for note in notes)


@pytest.mark.slow
def test_a_killed_actor_is_replaced_and_its_slice_redone(
    ray: RayExecutor, expected: SliceResult, notes: list[str], tmp_path: Path
) -> None:
    (process_id,) = ray.process_ids
    ray.submit(SliceTask(SPEC, tmp_path, 0, 4))
    os.kill(process_id, signal.SIGKILL)
    assert without_times(ray.wait(lambda task: False).result) == expected
    assert ray.process_ids != [process_id]
    assert any(note.startswith("actor 0 ended") for note in notes)


@pytest.mark.slow
def test_actors_test_and_export_as_this_process_does(
    in_process: InProcessExecutor, ray: RayExecutor, tmp_path: Path
) -> None:
    run(in_process, tmp_path)
    assert ray.test(SPEC, tmp_path, 4) == in_process.test(SPEC, tmp_path, 4)
    for name, executor in (("here", in_process), ("there", ray)):
        executor.export(SPEC, tmp_path, 4, tmp_path / name)
    here, there = (tmp_path / name / "adapter_model.safetensors" for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.slow
def test_a_node_that_is_taken_away_takes_no_slice_along(
    setup: WorkerSetup, ray: RayExecutor, expected: SliceResult, tmp_path: Path
) -> None:
    from ray.cluster_utils import Cluster

    ray.close()  # one cluster at a time
    notes: list[str] = []
    # Nodes that are processes of this machine; the first has no room for an actor.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    doomed = cluster.add_node(num_cpus=1)
    executor = RayExecutor(setup, 1, cluster.address, note=notes.append)
    try:
        (process_id,) = executor.process_ids
        cluster.add_node(num_cpus=1)
        executor.submit(SliceTask(SPEC, tmp_path, 0, 4))
        cluster.remove_node(doomed, allow_graceful=False)
        assert without_times(executor.wait(lambda task: False).result) == expected
        assert executor.process_ids != [process_id]
    finally:
        executor.close()
        cluster.shutdown()
    assert any(note.startswith("actor 0") and "new one" in note for note in notes)


@pytest.mark.slow
def test_a_cluster_that_is_not_there_or_too_small_is_told(setup: WorkerSetup, ray: RayExecutor) -> None:
    ray.close()  # one cluster at a time
    with pytest.raises(RunError, match=r"no Ray cluster answers at 127\.0\.0\.1:1"):
        RayExecutor(setup, 1, "127.0.0.1:1", note=print)
    with pytest.raises(RunError, match="has 0 GPUs: 2 workers with 1 each"):
        RayExecutor(setup, 2, "local", gpus_each=1.0, note=print)


@pytest.mark.slow
def test_a_slice_that_kills_its_workers_fails_its_trial_alone(
    pool: WorkerPool, expected: SliceResult, tmp_path: Path
) -> None:
    result = run(pool, tmp_path / "bad", to_step=NEVER, during=killer(pool, signal.SIGKILL, 9))
    assert result is not None
    assert result.failure == "failed"
    assert "2 workers ended" in str(result.error)
    assert without_times(run(pool, tmp_path / "good")) == expected


@pytest.mark.slow
def test_a_worker_that_hangs_past_its_time_is_replaced(
    pool: WorkerPool, expected: SliceResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "GRACE_SECONDS", 0.5)
    hang = killer(pool, signal.SIGSTOP, 1)
    result = run(pool, tmp_path / "hung", to_step=NEVER, limit_seconds=1.0, during=hang)
    assert result is not None
    assert "longer than" in str(result.error)
    assert without_times(run(pool, tmp_path / "good")) == expected


@pytest.mark.slow
def test_a_worker_that_hangs_without_a_limit_is_replaced(
    pool: WorkerPool, expected: SliceResult, notes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "IDLE_SECONDS", 3.0)
    pool.submit(SliceTask(SPEC, tmp_path, 0, 4))
    (process_id,) = pool.process_ids
    os.kill(process_id, signal.SIGSTOP)
    assert without_times(pool.wait(lambda task: False).result) == expected
    assert any("no processor time" in note for note in notes)


@pytest.mark.slow
def test_a_worker_without_its_search_ends(setup: WorkerSetup, tmp_path: Path) -> None:
    orphaned = WorkerPool(setup, 1, tmp_path, note=print)
    orphaned.submit(SliceTask(SPEC, tmp_path / "trial", 0, NEVER))
    (seat,) = orphaned._seats
    pipe = seat.worker._process.stdin
    assert pipe is not None
    pipe.close()  # as the system does when the search is killed
    deadline = time.monotonic() + 120
    while seat.worker._process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    orphaned.close()


@pytest.mark.slow
def test_a_worker_that_is_killed_while_it_loads_is_replaced(
    setup: WorkerSetup, expected: SliceResult, tmp_path: Path
) -> None:
    notes: list[str] = []
    made = WorkerPool(setup, 1, tmp_path, note=notes.append)
    try:
        os.kill(made.process_ids[0], signal.SIGKILL)
        assert without_times(run(made, tmp_path / "trial")) == expected
    finally:
        made.close()
    assert any("while it loaded" in note and "new one" in note for note in notes)


def test_workers_that_never_load_end_the_run(
    setup: WorkerSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    broken = WorkerPool(setup, 1, tmp_path, note=print)
    try:
        with pytest.raises(RunError, match="while it loaded the model, 2 times in a row"):
            run(broken, tmp_path / "trial")
    finally:
        broken.close()


@pytest.mark.slow
def test_workers_that_cannot_load_say_why(setup: WorkerSetup, tmp_path: Path) -> None:
    broken = WorkerPool(replace(setup, data=str(tmp_path / "nowhere")), 1, tmp_path, note=print)
    try:
        with pytest.raises(RunError, match="nowhere"):
            run(broken, tmp_path / "trial")
    finally:
        broken.close()
