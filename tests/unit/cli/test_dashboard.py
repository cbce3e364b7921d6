"""`autopeft dashboard`: on this machine only, and one clear error where it cannot be."""

import socket
import sys
import threading
import urllib.request
from pathlib import Path

import optuna
import pytest

from autopeft.domain.plan import SearchRequest
from autopeft.search.run_directory import RunDirectory, write_json
from tests.unit.cli.conftest import Run


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = RunDirectory.create(tmp_path / "run")
    write_json(made.path / "plan.json", {"request": SearchRequest(model="m", dataset="d", task="").to_dict()})
    return made.path


@pytest.fixture
def with_study(directory: Path) -> Path:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(storage=f"sqlite:///{directory / 'study.db'}", study_name="autopeft")
    return directory


def test_without_the_extra_it_says_what_to_install(run: Run, with_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    result = run("dashboard", str(with_study))
    assert result.exit_code == 5
    assert result.stderr == "error: optuna-dashboard is not installed\nhint: pip install 'autopeft[dashboard]'\n"


def test_before_there_is_a_study(run: Run, directory: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    result = run("dashboard", str(directory))
    assert result.exit_code == 4 and "no study yet" in result.stderr


def test_a_port_that_is_taken(run: Run, with_study: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("dashboard", str(with_study), "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2 and "--port" in result.stderr


def test_it_shows_the_study_on_the_loopback_device(with_study: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    from autopeft.api.dashboard import dashboard

    told: list[str] = []
    ready = threading.Event()

    def note(address: str) -> None:
        told.append(address)
        ready.set()

    threading.Thread(target=dashboard, args=(with_study,), kwargs={"port": 0, "ready": note}, daemon=True).start()
    assert ready.wait(60)
    assert told[0].startswith("http://127.0.0.1:")
    with urllib.request.urlopen(told[0].replace("/dashboard", "/api/studies"), timeout=30) as answer:
        assert b'"autopeft"' in answer.read()
