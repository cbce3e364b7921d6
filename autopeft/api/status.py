"""`status` and `report`: reading a run directory, without torch."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

from autopeft.domain.trials import TrialRecord
from autopeft.search.run_directory import RunDirectory, intact, read_json, read_result
from autopeft.search.scheduler import ranking


def status(run: str | Path) -> dict[str, Any]:
    """How a run stands: `status`, `spent_seconds`, `budget_seconds`, `trials` by state, `best` in words.

    Raises:
        InputError: it is no run directory, or one of its files is broken.
    """
    directory = RunDirectory(Path(run))
    request = directory.request()
    result = _read(directory.path / "result.json", "status", "trials")
    sessions = _read(directory.path / "ledger.json", "sessions").get("sessions", ())
    with intact(directory.path / "ledger.json"):
        spent_seconds = math.fsum(session["seconds"] for session in sessions)
    state = result.get("status", "interrupted")
    records = [folder.record() for folder in directory.trials()]
    ranked = ranking(records)
    best = f"trial {ranked[0].spec.number} {ranked[0].spec.method}, loss {ranked[0].loss:.3f}" if ranked else ""
    return {
        "status": "running" if directory.is_locked() else state,
        "spent_seconds": spent_seconds,
        "budget_seconds": request.wall_seconds,
        "trials": _count(result if state == "finished" else {}, records),
        "best": best,
    }


def _count(result: dict[str, Any], records: list[TrialRecord]) -> dict[str, int]:
    """Trials by state: as the result of a finished run says, else as they lie on disk."""
    if result:
        return dict(Counter(trial["state"] for trial in result["trials"]))
    return dict(Counter(record.state for record in records))


def _read(path: Path, *keys: str) -> dict[str, Any]:
    """The content of a file that may not be there yet, and then is empty."""
    if not path.exists():
        return {}
    content = read_json(path)
    with intact(path):
        return content | {key: content[key] for key in keys}


def render_report(run: str | Path, output: str | Path | None = None) -> Path:
    """Write the report again; gives the path of report.html.

    Raises:
        InputError: the run has no result.json, or it is broken.
        RunError: the folder cannot be written.
    """
    from autopeft.reporting.write import write_report

    result = read_result(Path(run))
    return write_report(result, Path(output) if output is not None else Path(run))
