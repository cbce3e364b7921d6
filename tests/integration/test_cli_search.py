"""A search from the command line, then its status, report and resume: what goes to which stream, how it reads."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autopeft.cli.main import cli

SIZES = ("--trials", "2", "--full-steps", "6", "--batch-size", "8", "--methods", "ia3,bitfit")
ROWS = ("--max-train-rows", "120", "--max-evaluation-rows", "40", "--threads", "1")


def autopeft(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="autopeft")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "first"


@pytest.fixture(scope="module", autouse=True)
def searched(run: Path, tiny_bert: Path, sst2: Path) -> Result:
    asked = ("--model", str(tiny_bert), "--dataset", str(sst2), "--output", str(run))
    return autopeft("search", *asked, *SIZES, *ROWS, "--format", "json")


def test_json_has_stdout_to_itself(searched: Result, run: Path) -> None:
    assert searched.exit_code == 0, searched.stderr
    assert json.loads(searched.stdout) == json.loads((run / "result.json").read_text())


def test_progress_is_plain_lines_without_a_terminal(searched: Result) -> None:
    lines = searched.stderr.splitlines()
    assert "\x1b" not in searched.stderr
    assert len([line for line in lines if "search: trial" in line]) == 2
    assert any("best trial 0" in line and "accuracy 0." in line for line in lines)
    assert "confirm: " in searched.stderr and "test: " in searched.stderr


def test_quiet_says_nothing(run: Path) -> None:
    again = autopeft("resume", str(run), "--quiet")
    assert again.exit_code == 0
    assert again.stderr == ""


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_result_fits_the_terminal(run: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = autopeft("resume", str(run)).stdout
    assert "…" not in shown
    before_files, _, _ = shown.partition("Load it")
    assert max(map(len, before_files.splitlines())) <= int(columns)
    # The marks may be folded into a second line, and one contender may carry both.
    table = before_files.partition("Against what")[2]
    assert "winner" in table
    assert "control" in table
    assert "tf-idf" in before_files
    for name in ("report.html", "best_adapter", "result.json"):
        assert str(run / name) in shown and (run / name).exists()


def test_status_of_a_finished_run(run: Path) -> None:
    told = json.loads(autopeft("status", str(run), "--format", "json").stdout)
    assert told["status"] == "finished"
    assert sum(told["trials"].values()) == 2
    assert set(told["trials"]) <= {"finished", "stopped"}
    spent = json.loads((run / "ledger.json").read_text())["sessions"]
    assert told["spent_seconds"] == pytest.approx(sum(one["seconds"] for one in spent))


def test_report_is_rendered_elsewhere_from_the_result_alone(run: Path, tmp_path: Path) -> None:
    result = autopeft("report", str(run), "--output", str(tmp_path / "elsewhere"))
    assert result.exit_code == 0
    page = Path(result.stdout.strip())
    assert page == tmp_path / "elsewhere" / "report.html"
    assert page.read_text() == (run / "report.html").read_text()


def stopped_run(run: Path, folder: Path) -> Path:
    """The run as a kill before the test stage leaves it."""
    shutil.copytree(run, folder)
    for name in ("result.json", "final.json"):
        (folder / name).unlink()
    return folder


def test_a_stopped_run_has_a_status_and_no_report(run: Path, tmp_path: Path) -> None:
    stopped = stopped_run(run, tmp_path / "stopped")
    assert json.loads(autopeft("status", str(stopped), "--format", "json").stdout)["status"] == "interrupted"
    refusal = autopeft("report", str(stopped))
    assert refusal.exit_code == 4
    assert refusal.stderr.startswith(f"error: the run {stopped} has no result yet\nhint: ")
    assert f"autopeft resume {stopped}" in refusal.stderr


@pytest.mark.parametrize("part", ["rung_steps", "batch_size"])
def test_a_damaged_plan_stops_a_resume(run: Path, tmp_path: Path, part: str) -> None:
    stopped = stopped_run(run, tmp_path / "stopped")
    plan = json.loads((stopped / "plan.json").read_text())
    del plan["training"][part]
    (stopped / "plan.json").write_text(json.dumps(plan))
    refusal = autopeft("resume", str(stopped), "--quiet")
    assert refusal.exit_code == 4
    assert f"{stopped / 'plan.json'} is damaged" in refusal.stderr
    assert "hint: " in refusal.stderr


def test_a_damaged_trial_stops_a_resume(run: Path, tmp_path: Path) -> None:
    stopped = stopped_run(run, tmp_path / "stopped")
    events = stopped / "trials" / "0001" / "events.jsonl"
    events.write_text('{"to_step": 1}\n' + events.read_text())
    for command in ("resume", "status"):
        refusal = autopeft(command, str(stopped))
        assert refusal.exit_code == 4
        assert f"{events} is damaged" in refusal.stderr
