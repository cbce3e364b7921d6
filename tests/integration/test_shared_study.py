"""Several processes on one study in a real PostgreSQL: nothing twice, nothing lost, and it may go away for a while."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest

from autopeft.api.studies import hide_password
from autopeft.domain.progress import Silent
from autopeft.domain.trials import SliceResult, TrialRecord
from autopeft.errors import MissingDependencyError, RunError, UsageError
from autopeft.execution.protocol import SliceTask
from autopeft.search import shared_study, storage_address
from autopeft.search.search_stage import search_stage
from autopeft.search.shared_study import Address, Database, SharedStudy, agree
from autopeft.search.storage_address import parse_address
from tests.stub_search import METHODS, learn, stub_context

IDENTITY = {"model": "m", "data": "d"}
NOBODY = "nobody"


@dataclass
class Cluster:
    """A PostgreSQL of its own, as an unprivileged user, in a folder of its own."""

    folder: Path
    port: int
    user: str | None

    @property
    def url(self) -> str:
        return f"postgresql://tester:secret-word@127.0.0.1:{self.port}/postgres"

    def run(self, *command: str) -> None:
        subprocess.run(
            command, check=True, user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self.run(_tool("pg_ctl"), "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self.run(_tool("pg_ctl"), "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")


def _tool(name: str) -> str:
    found = shutil.which(name) or next((str(p) for p in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("psycopg")
    # Not in pytest's folders, which let no other user in.
    with tempfile.TemporaryDirectory(prefix="autopeft-postgres-") as name:
        made = Cluster(Path(name), _free_port(), NOBODY if os.getuid() == 0 else None)
        if made.user:
            shutil.chown(name, made.user)
        password = Path(name) / "password"
        password.write_text("secret-word")
        password.chmod(0o644)
        data = str(Path(name) / "data")
        authentication = ("--pwfile", str(password), "--auth", "scram-sha-256")
        made.run(_tool("initdb"), "-D", data, "-U", "tester", *authentication, "-N")
        made.start()
        yield made
        made.stop()


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
    kept = [trial for trial in study.trials if "surplus" not in trial.user_attrs]
    assert by_number(runs) == [trial.number for trial in kept]
    assert len(kept) == 24
    assert all(trial.state.is_finished() for trial in study.trials)
    configurations = [tuple(sorted(trial.params.items())) for trial in kept]
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


def test_trials_of_a_process_that_is_gone_begin_again_elsewhere(cluster: Cluster, tmp_path: Path) -> None:
    dead = joined(cluster, "gone", "dead")()
    number = dead.allocate([], None)
    assert number == 0
    lost = stub_context(tmp_path / "spec").starts[2]
    record = TrialRecord(spec=_spec(number, lost.method, lost.hyperparameters))
    dead.started([record])
    dead.close()
    later = time.time() + shared_study.LEASE_SECONDS + 60
    found = database(cluster, "gone", "alive", clock=lambda: later)
    agree(found, IDENTITY, plan)
    own, _ = search_stage(stub_context(tmp_path / "alive", study=lambda: SharedStudy(found, METHODS), trials=5))
    assert [r.spec.number for r in own] == [1, 2, 3, 4, 5]
    assert own[0].spec.method == lost.method
    assert dict(own[0].spec.hyperparameters) == dict(lost.hyperparameters)


def _spec(number: int, method: str, hyperparameters: Any) -> Any:
    from autopeft.domain.trials import TrialSpec

    return TrialSpec(number, method, hyperparameters, 0)


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
    address = Address(f"postgresql://tester:secret-word@127.0.0.1:{_free_port()}/x", "s", "m")
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
    assert hide_password("autopeft search --storage=mysql+x://u:p:q@h:1/d --top 1") == (
        "autopeft search --storage=mysql+x://u@h:1/d --top 1"
    )
