"""`search`, `resume`, `status` and `report` over a recorded result; nothing is trained."""

import json
from pathlib import Path

import pytest

from autopeft.api.run import SearchResult
from autopeft.cli import search_run
from autopeft.cli.run_view import show_run
from autopeft.domain.plan import SearchRequest
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.search.run_directory import RunDirectory, write_json
from tests.unit.cli.conftest import Run

RECORDED = Path(__file__).parents[2] / "golden" / "report.result.json"
REQUEST = SearchRequest(model="a-model", dataset="a.csv", task="", budget_seconds=600.0)
SLICE = SliceResult(10, 0.5, 0.1, 0.75, 0.02, ((5, 2.0), (10, 1.8)), 1.0, 0.5, 1.6)


@pytest.fixture
def running(tmp_path: Path) -> RunDirectory:
    """A run in its second trial: no result yet."""
    run = RunDirectory.create(tmp_path / "run")
    write_json(run.path / "plan.json", {"request": REQUEST.to_dict()})
    write_json(run.path / "ledger.json", {"sessions": [{"seconds": 61.0}, {"seconds": 59.0}]})
    for number, method in enumerate(("lora", "ia3")):
        run.trial(number).create(TrialSpec(number, method, {}, 0), "start")
    run.trial(0).commit(SLICE)
    return run


@pytest.fixture
def finished(running: RunDirectory) -> Path:
    (running.path / "result.json").write_text(RECORDED.read_text())
    return running.path


def test_status_counts_trials_and_time(run: Run, running: RunDirectory) -> None:
    shown = run("status", str(running.path)).stdout
    assert shown == (
        "interrupted: 2 min 00 s of 10 min 00 s spent; trials: 1 paused, 1 running.\n"
        "best so far: trial 0 lora, loss 0.500\n"
    )


def test_status_knows_whether_the_search_is_alive(run: Run, running: RunDirectory) -> None:
    with running.locked():
        assert json.loads(run("status", str(running.path), "--format", "json").stdout)["status"] == "running"
    assert json.loads(run("status", str(running.path), "--format", "json").stdout)["status"] == "interrupted"


def test_status_of_a_finished_run_counts_as_its_result_does(run: Run, finished: Path) -> None:
    told = json.loads(run("status", str(finished), "--format", "json").stdout)
    states = [trial["state"] for trial in json.loads(RECORDED.read_text())["trials"]]
    assert told["status"] == "finished"
    assert told["trials"] == {state: states.count(state) for state in set(states)}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("ledger.json", '{"sessions": 3}'),
        ("ledger.json", "{"),
        ("result.json", "{}"),
        ("trials/0000/spec.json", '{"number": 0}'),
        ("trials/0000/events.jsonl", '{"to_step": 10}\n'),
        ("trials/0000/events.jsonl", '{"to_step": \n'),
    ],
)
def test_status_names_the_damaged_file(run: Run, running: RunDirectory, file: str, content: str) -> None:
    (running.path / file).write_text(content)
    result = run("status", str(running.path))
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {running.path / file} is ")
    assert "\nhint: restore the file" in result.stderr


def test_report_writes_what_the_result_says(run: Run, finished: Path, tmp_path: Path) -> None:
    result = run("report", str(finished), "--output", str(tmp_path / "elsewhere"))
    assert result.stdout == f"{tmp_path / 'elsewhere' / 'report.html'}\n"
    best = json.loads(RECORDED.read_text())["best"]
    for name in ("report.html", "report.md"):
        assert best["title"] in (tmp_path / "elsewhere" / name).read_text()


def test_report_before_there_is_a_result(run: Run, running: RunDirectory) -> None:
    result = run("report", str(running.path))
    assert result.exit_code == 4
    assert f"autopeft resume {running.path}" in result.stderr


def test_report_where_it_cannot_be_written(run: Run, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("report", str(finished), "--output", str(tmp_path / "file" / "report"))
    assert result.exit_code == 6
    assert "cannot be written" in result.stderr and "hint: " in result.stderr


def test_resume_shows_a_finished_run_again(run: Run, finished: Path) -> None:
    result = run("resume", str(finished), "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == json.loads(RECORDED.read_text())


def test_each_contender_is_shown_once_with_its_parts(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = json.loads(RECORDED.read_text())
    names = {"candidate": "trial-0007", "control": "plain LoRA at its defaults"}
    first = result["confirmed"][0] | {"id": "trial-0007"}
    result["confirmed"] = [first | {"role": role, "name": name} for role, name in names.items()]
    result["best"] = result["best"] | {"id": "trial-0007"}
    write_json(finished / "result.json", result)
    monkeypatch.setenv("COLUMNS", "160")
    show_run(SearchResult(finished), "table")
    table = capsys.readouterr().out.partition("Against what")[2].partition("The winner")[0]
    assert table.count(result["best"]["title"]) == 1
    assert f"{result['best']['title']} · winner, control" in table


@pytest.mark.parametrize(("runs", "told"), [([], "not trained"), ([{"seed": 0}], "cut short")])
def test_what_did_not_reach_full_length_says_so(
    finished: Path, capsys: pytest.CaptureFixture[str], runs: list[dict[str, int]], told: str
) -> None:
    result = json.loads(RECORDED.read_text())
    result["confirmed"] = [one | {"validation_mean": None, "runs": runs} for one in result["confirmed"]]
    write_json(finished / "result.json", result)
    show_run(SearchResult(finished), "markdown")
    assert capsys.readouterr().out.count(f"| {told} |") == len({one["name"] for one in result["confirmed"]})


def test_markdown_is_markdown(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_run(SearchResult(finished), "markdown")
    lines = capsys.readouterr().out.splitlines()
    assert "## Against what" in lines
    assert any(line.startswith("- ") for line in lines)
    assert not any(line.startswith("- -") for line in lines)
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1


def test_search_hands_on_what_was_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(search_run, "run_search", lambda **options: asked.update(options))
    given = ("--model", "m", "--dataset", "d", "--methods", "lora, ia3", "--text-column", "body", "--budget", "5m")
    assert run("search", *given, "--quiet").exit_code == 0
    assert asked["model"] == "m" and asked["train"] == "d"
    assert asked["methods"] == ["lora", "ia3"]
    assert asked["columns"] == {"text": "body"}
    assert asked["budget"] == "5m" and asked["trials"] is None and asked["quiet"] is True


def test_demo_brings_model_and_data(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(search_run, "run_search", lambda **options: asked.update(options))
    assert run("search", "--demo").exit_code == 0
    assert asked["model"] == asked["train"] == "demo"
    for extra in (("--model", "m"), ("--dataset", "d")):
        refusal = run("search", "--demo", *extra)
        assert refusal.exit_code == 2
        assert refusal.stderr.startswith("error: --demo brings its own model and data\nhint: ")
