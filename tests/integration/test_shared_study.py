"""Several processes on one study in a real PostgreSQL: nothing twice, nothing lost, and it may go away for a while."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from autopeft.api.passwords import hide_password
from autopeft.domain.progress import Silent
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.errors import InputError, MissingDependencyError, RunError, UsageError
from autopeft.execution.protocol import SliceTask
from autopeft.search import shared_study, storage_address
from autopeft.search.search_stage import search_stage
from autopeft.search.shared_database import Address, Database
from autopeft.search.shared_study import SharedStudy, agree
from autopeft.search.storage_address import parse_address
from tests.postgres_cluster import Cluster, free_port, running_cluster, tool
from tests.stub_search import METHODS, learn, stub_context

IDENTITY = {"model": "m", "data": "d"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("psycopg")
    if tool("initdb") is None:
        pytest.skip("PostgreSQL is not installed")
    with running_cluster() as made:
        yield made


def database(cluster: Cluster, study: str, member: str, **options: Any) -> Database:
    return Database(Address(cluster.url, study, member), lambda text: None, **options)


def plan() -> dict[str, Any]:
    return {"the": "plan"}


def joined(cluster: Cluster, study: str, member: str) -> Callable[[], SharedStudy]:
    """Opens the study as one of its processes does."""

    def opened() -> SharedStudy:
        found = database(cluster, study, member)
        agree(found, IDENTITY, plan)
        return SharedStudy(found, METHODS)

    return opened


def by_number(runs: list[tuple[list[TrialRecord], list[TrialRecord]]]) -> list[int]:
    return sorted(record.spec.number for own, _ in runs for record in own)


@pytest.mark.slow
def test_processes_share_the_trials_out_and_compare_with_each_other(cluster: Cluster, tmp_path: Path) -> None:
    members = [f"member-{n}" for n in range(4)]
    contexts = [
        stub_context(tmp_path / name, study=joined(cluster, "shared", name), trials=24, sampler="random")
        for name in members
    ]
    with ThreadPoolExecutor(len(members)) as pool:
        runs = list(pool.map(search_stage, contexts))
    study = optuna.load_study(storage=database(cluster, "shared", "reader").storage, study_name="shared")
    # One that had ended early may have left a trial to another, which trained it further: the last one has it.
    assert set(by_number(runs)) == set(range(24))
    assert sorted(trial.user_attrs["trial"] for trial in study.trials) == list(range(24))
    assert all(trial.state.is_finished() for trial in study.trials)
    configurations = [tuple(sorted(trial.params.items())) for trial in study.trials]
    assert len(set(configurations)) == 24
    # What is promoted is compared with everybody's: one run's own six trials would promote nobody so far.
    assert max(record.steps_done for own, _ in runs for record in own) == 90
    for own, peers in runs:
        assert {r.spec.number for r in own}.isdisjoint(r.spec.number for r in peers)


def test_the_first_process_makes_the_plan_and_another_search_is_refused(cluster: Cluster) -> None:
    assert agree(database(cluster, "plans", "a"), IDENTITY, plan) == plan()
    assert agree(database(cluster, "plans", "b"), IDENTITY, lambda: pytest.fail("planned twice")) == plan()
    with pytest.raises(UsageError, match="its data differs") as refusal:
        agree(database(cluster, "plans", "c"), IDENTITY | {"data": "other"}, plan)
    assert "secret-word" not in str(refusal.value)


def begun(study: SharedStudy, *trained: tuple[str, dict[str, Any], float]) -> list[TrialRecord]:
    """Trials of another process: method, hyperparameters, and the loss that it reached at the first rung."""
    records = []
    for method, hyperparameters, loss in trained:
        number = study.allocate(records, None)
        assert number is not None
        record = TrialRecord(TrialSpec(number, method, hyperparameters, 0))
        records.append(record)
        study.started(records)
        if loss:
            piece = replace(learn(SliceTask(record.spec, Path(), 0, 10)), validation_loss=loss)
            record.slices, record.state = [piece], "paused"
            study.advanced(record)
    return records


def defaults(method: str, rate: float) -> dict[str, Any]:
    return {knob.name: knob.default for knob in METHODS[method].knobs} | {"learning_rate": rate}


@pytest.mark.parametrize("goes", ["silently", "finished"])
def test_trials_of_a_process_that_is_gone_are_taken_over(cluster: Cluster, tmp_path: Path, goes: str) -> None:
    """What was begun at once, what was paused when its turn comes; each keeps its number."""
    name = f"gone {goes}"
    other = joined(cluster, name, "other")()
    good, begun_only = defaults("lora", 1e-2), defaults("ia3", 3e-3)
    theirs = begun(other, ("lora", good, 0.1), ("houlsby", defaults("houlsby", 1e-3), 0.9), ("ia3", begun_only, 0.0))
    if goes == "finished":
        other.finished(theirs)
    other.close()
    found = database(cluster, name, "me")
    agree(found, IDENTITY, plan)
    lease = shared_study.LEASE_SECONDS if goes == "finished" else -1.0
    own, peers = search_stage(
        stub_context(tmp_path / "me", study=lambda: SharedStudy(found, METHODS, lease_seconds=lease), trials=6)
    )
    mine = {record.spec.number: record for record in own}
    assert sorted(mine) == [0, 2, 3, 4, 5]
    assert dict(mine[2].spec.hyperparameters) == begun_only
    # The best of all at the first rung is trained further, from its start and through the same rungs.
    assert dict(mine[0].spec.hyperparameters) == good
    assert [piece.to_step for piece in mine[0].slices][:2] == [10, 30]
    # What would not be promoted stays as it was left.
    assert [peer.spec.number for peer in peers] == [1]
    study = optuna.load_study(storage=found.storage, study_name=name)
    assert all(trial.state.is_finished() for trial in study.trials)


class Clock:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_whoever_is_first_back_after_an_outage_does_not_take_the_trials_of_those_that_live(cluster: Cluster) -> None:
    """All leases have run out while nobody could renew them."""
    other = joined(cluster, "outage", "other")()
    begun(other, ("lora", defaults("lora", 1e-2), 0.1))
    clock, found = Clock(), database(cluster, "outage", "first back")
    agree(found, IDENTITY, plan)
    first = SharedStudy(found, METHODS, clock=clock)
    outage = 2 * shared_study.LEASE_SECONDS
    clock.now += outage
    for member in ("other", "first back"):  # nobody was heard for so long
        first._tables.__class__(found.storage.engine, "outage", member)._hear(first._tables.now() - outage)
    first.next_number([], None)
    assert not first.abandoned(), "it has not been heard itself"
    first._hear()
    first.next_number([], None)
    assert not first.abandoned(), "the others may say that they are there"
    clock.now += shared_study.GRACE_SECONDS
    first._heard = clock.now  # by its own heartbeat
    first.next_number([], None)
    assert first.abandoned() == {0}, "nothing was heard of it since"
    for one in (other, first):
        one.close()


def test_a_trial_is_taken_over_once_and_not_from_one_that_is_there(cluster: Cluster) -> None:
    other = joined(cluster, "once", "other")()
    begun(other, ("lora", defaults("lora", 1e-2), 0.1))
    takers = [joined(cluster, "once", name)() for name in ("a", "b")]
    assert not takers[0].take_over(0)
    other.finished([])
    assert [taker.take_over(0) for taker in takers] == [True, False]
    for one in (other, *takers):
        one.close()


def test_a_number_that_was_given_and_never_used_is_used_again(cluster: Cluster) -> None:
    crashed = joined(cluster, "orphan", "crashed")()
    assert crashed.allocate([], 1) == 0
    # The answer may be lost on its way: the same process gets the same number.
    again = joined(cluster, "orphan", "crashed")()
    assert again.allocate([], 1) == 0
    other = joined(cluster, "orphan", "other")()
    assert other.next_number([], 1) is None
    crashed.finished([])
    assert other.next_number([], 1) == 0
    assert other.allocate([], 1) == 0
    assert other.allocate([TrialRecord(TrialSpec(0, "lora", {}, 0))], 1) is None
    for one in (crashed, again, other):
        one.close()


def test_a_study_that_the_database_has_lost_is_told(cluster: Cluster) -> None:
    with pytest.raises(RunError, match="any more"):
        SharedStudy(database(cluster, "never made", "me"), METHODS)


def test_damaged_rows_are_told_in_one_line(cluster: Cluster) -> None:
    found = database(cluster, "damaged", "a")
    agree(found, IDENTITY, plan)
    study = SharedStudy(found, METHODS)
    begun(study, ("lora", defaults("lora", 1e-2), 0.1))
    study.close()
    with found.storage.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE autopeft_trial SET content = '{\"spec\": 1}' WHERE study = 'damaged'")
    other = joined(cluster, "damaged", "b")()
    with pytest.raises(InputError, match="is damaged"):
        other.peers()
    other.close()


@pytest.mark.slow
def test_a_server_that_restarts_is_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    notes: list[str] = []
    slices: list[int] = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    def interrupting(task: SliceTask) -> SliceResult:
        slices.append(task.spec.number)
        if len(slices) == 4:
            cluster.stop()
        return learn(task)

    def sleep(seconds: float) -> None:
        cluster.start()

    def opened() -> SharedStudy:
        found = Database(Address(cluster.url, "restart", "me"), notes.append, sleep=sleep)
        agree(found, IDENTITY, plan)
        return SharedStudy(found, METHODS)

    own, _ = search_stage(stub_context(tmp_path / "run", interrupting, opened, trials=9, sampler="random"))
    assert len(own) == 9
    assert any("waiting for it" in note for note in notes)
    assert "secret-word" not in "".join(notes)


def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    address = Address(f"postgresql://tester:secret-word@127.0.0.1:{free_port()}/x", "s", "m")
    with pytest.raises(RunError, match="cannot be used") as refusal:
        Database(address, print)
    assert refusal.value.exit_code == 6
    assert "secret-word" not in str(refusal.value)
    assert "\n" not in refusal.value.message


def test_a_wrong_password_is_told_and_not_shown(cluster: Cluster) -> None:
    address = Address(cluster.url.replace("secret-word", "wrong-word"), "s", "m")
    with pytest.raises(RunError, match="password authentication failed") as refusal:
        Database(address, print)
    assert "wrong-word" not in str(refusal.value)


@pytest.mark.parametrize("text", ["nonsense", "oracle://u:secret-word@h/d", "postgresql://u:secret-word@h:port/d"])
def test_an_address_that_makes_no_sense(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_address(text)
    assert "secret-word" not in str(refusal.value)


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_address, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError) as refusal:
        parse_address("postgresql://host/d")
    assert "autopeft[postgresql]" in str(refusal.value)


def test_a_password_is_never_kept() -> None:
    assert hide_password("postgresql://u:p@h/d") == "postgresql://u@h/d"
    assert hide_password("postgresql://u:p q@h/d") == "postgresql://u@h/d"
    assert hide_password("autopeft search --storage=mysql+x://u:p:q@h:1/d --top 1") == (
        "autopeft search --storage=mysql+x://u@h:1/d --top 1"
    )
