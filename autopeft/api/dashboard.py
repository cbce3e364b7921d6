"""`dashboard`: Optuna's dashboard on a run, running or finished."""

from collections.abc import Callable
from pathlib import Path

from autopeft.errors import InputError
from autopeft.search.dashboard import serve_dashboard
from autopeft.search.run_directory import RunDirectory
from autopeft.search.storage_address import sqlite_address

PORT = 8080
STUDY_FILE = "study.db"


def dashboard(run: str | Path, *, port: int = PORT, ready: Callable[[str], None]) -> None:
    """Serve the dashboard on the loopback device until interrupted.

    Args:
        run: the run directory.
        port: to listen on; 0 takes a free one.
        ready: is told the address once a browser can open it.

    Raises:
        InputError: it is no run directory, or it has no study yet.
        MissingDependencyError: the extra `dashboard` is not installed.
        RunError: the database cannot be reached.
        UsageError: the port is taken.
    """
    directory = RunDirectory(Path(run))
    storage = directory.request().storage
    study = directory.path / STUDY_FILE
    if storage is None and not study.is_file():
        raise InputError(f"the run {run} has no study yet", hint=f"`autopeft status {run}` says how it stands")
    serve_dashboard(storage or sqlite_address(study), port, ready)
