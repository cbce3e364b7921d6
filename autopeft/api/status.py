"""`status` and `report`: reading a run directory, without torch."""

from collections import Counter
from pathlib import Path
from typing import Any

from autopeft.search.run_directory import RunDirectory, read_json
from autopeft.search.scheduler import ranking


def status(run: str | Path) -> dict[str, Any]:
    """How a run stands: `status`, `spent_seconds`, `budget_seconds`, `trials` by state, `best` in words.

    Raises:
        InputError: it is no run directory, or one of its files is broken.
    """
    directory = RunDirectory(Path(run))
    request = read_json(directory.path / "plan.json")["request"]
    ledger_path = directory.path / "ledger.json"
    sessions = read_json(ledger_path)["sessions"] if ledger_path.exists() else []
    result_path = directory.path / "result.json"
    finished = read_json(result_path)["status"] if result_path.exists() else "running"
    records = [folder.record() for folder in directory.trials()]
    ranked = ranking(records)
    best = f"trial {ranked[0].spec.number} {ranked[0].spec.method}, loss {ranked[0].loss:.3f}" if ranked else ""
    return {
        "status": "running" if directory.is_locked() else finished,
        "spent_seconds": sum(session["seconds"] for session in sessions),
        "budget_seconds": request["budget_seconds"],
        "trials": dict(Counter(record.state for record in records)),
        "best": best,
    }


def render_report(run: str | Path, output: str | Path | None = None) -> Path:
    """Write the report again; gives the path of report.html.

    Raises:
        InputError: the run has no result.json, or it is broken.
        RunError: the folder cannot be written.
    """
    from autopeft.reporting.write import write_report

    folder = Path(output) if output is not None else Path(run)
    return write_report(read_json(Path(run) / "result.json"), folder)
