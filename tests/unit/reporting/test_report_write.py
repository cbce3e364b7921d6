"""What a run directory holds after a report, and that nothing half-written ever stands there."""

import csv
import io
import os
from pathlib import Path
from typing import Any

import pytest

from autopeft.errors import RunError
from autopeft.reporting.facts import read_report
from autopeft.reporting.leaderboard import render_leaderboard
from autopeft.reporting.write import write_report

PICTURES = {
    *("comparison.png", "curves.png", "parallel.png", "importance.png", "methods.png", "tradeoff.png"),
    *("memory.png", "time.png", "timeline.png"),
}


def test_the_files_of_a_report(full: dict[str, Any], tmp_path: Path) -> None:
    path = write_report(full, tmp_path / "run")
    assert path == tmp_path / "run" / "report.html"
    names = {str(file.relative_to(path.parent)) for file in path.parent.rglob("*") if file.is_file()}
    assert names == {"report.html", "report.md", "leaderboard.csv"} | {f"report_files/{name}" for name in PICTURES}
    assert path.stat().st_size < 200_000


def test_the_same_result_gives_the_same_bytes(full: dict[str, Any], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_report(full, tmp_path / folder)
    for file in (file for file in (tmp_path / "a").rglob("*") if file.is_file()):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes(), file.name


def test_a_run_that_has_just_begun(begun: dict[str, Any], tmp_path: Path) -> None:
    path = write_report(begun, tmp_path)
    assert "still running" in path.read_text(encoding="utf-8")
    assert "![" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_hostile_text_and_other_scripts_can_be_drawn(hostile: dict[str, Any], tmp_path: Path) -> None:
    hostile["confirmed"][0]["title"] = hostile["best"]["title"] = "$\\frac{$ \u6a21\u578b \ud800 \x00"
    write_report(hostile, tmp_path)
    assert {file.name for file in (tmp_path / "report_files").iterdir()} >= {"comparison.png", "curves.png"}


def test_rendering_again_replaces_whole_files(begun: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    path = write_report(begun, tmp_path)
    before = path.read_bytes()
    begun["verdict"] = ["changed"]

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(RunError, match="No space left on device") as failed:
        write_report(begun, tmp_path)
    assert failed.value.hint
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_folder_that_cannot_be_made_is_a_run_error(begun: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_report(begun, tmp_path / "file" / "run")


def test_the_leaderboard_has_full_digits_and_every_knob(full: dict[str, Any]) -> None:
    full["trials"][11]["error"] = "=HYPERLINK(1)"
    rows = list(csv.DictReader(io.StringIO(render_leaderboard(read_report(full)), newline="")))
    assert len(rows) == len(full["trials"])
    best = next(trial for trial in full["trials"] if trial["number"] == int(rows[0]["trial"]))
    assert float(rows[0]["validation_loss"]) == best["rungs"][-1]["validation_loss"]
    assert float(rows[0]["set_learning_rate"]) == best["hyperparameters"]["learning_rate"]
    assert int(rows[0]["predicted_peak_bytes"]) == best["predicted_peak_bytes"]
    failed = next(row for row in rows if row["trial"] == "11")
    assert (failed["rank"], failed["validation_loss"]) == ("", "")
    assert failed["error"] == "'=HYPERLINK(1)"
