"""Writes the report's files into a run directory, each one whole or not at all."""

import os
from pathlib import Path

from autopeft.errors import RunError
from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html
from autopeft.reporting.leaderboard import render_leaderboard
from autopeft.reporting.markdown import render_markdown
from autopeft.reporting.pictures import draw_pictures
from autopeft.reporting.reading import Record

PICTURES = "report_files"


def write_report(result: Record, folder: Path) -> Path:
    """Renders `report.html`, `report.md` with its pictures, and `leaderboard.csv`.

    Args:
        result: the mapping of docs/result-schema.md, whole or of a run that goes on or was interrupted.
        folder: the run directory; made if it is missing.

    Returns:
        The path of report.html.

    Raises:
        InputError: the result was written in a later version of the schema.
        RunError: a file cannot be written.
    """
    report = read_report(result)
    pictures = draw_pictures(report)
    files = {f"{PICTURES}/{name}": content for name, content in pictures.items()}
    files["report.md"] = render_markdown(report, list(pictures), PICTURES).encode()
    files["leaderboard.csv"] = render_leaderboard(report).encode()
    files["report.html"] = render_html(report).encode()
    try:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _write_atomically(folder / name, content)
    except OSError as error:
        raise RunError(
            f"the report cannot be written to {folder}: {error.strerror or error}",
            hint="free space or make the folder writable, then `autopeft report RUN` renders it again",
        ) from error
    return folder / "report.html"


def _write_atomically(path: Path, content: bytes) -> None:
    """Replaces `path` by `content`: a reader, and a crash, see the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
