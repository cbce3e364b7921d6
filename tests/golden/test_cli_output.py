"""What people see, word for word. After a wanted change: `make golden`, and read the diff."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autopeft.api import request
from autopeft.cli.main import COMMANDS, cli
from autopeft.domain.plan import SearchRequest
from autopeft.search.run_directory import RunDirectory, write_json
from tests.unit.cli.stand_in import StandIn

HERE = Path(__file__).parent
LLAMA = "meta-llama/Llama-3.2-3B"
PRICE = ["--price-per-hour", "1.80"]
OUTPUTS = {
    "help.txt": ["--help"],
    **{f"help-{name}.txt": [name, "--help"] for name in COMMANDS},
    "recommend-table.txt": ["recommend", "--model", LLAMA, "--gpu-mem", "24GB", "--rows", "2000"],
    "recommend-markdown.md": [
        "recommend",
        "--model",
        LLAMA,
        "--methods",
        "lora,dora,full",
        "--format",
        "markdown",
    ],
    "estimate-table.txt": ["estimate", "--model", LLAMA, "--set", "r=32"],
    "estimate-gpu-table.txt": ["estimate", "--model", LLAMA, "--gpu", "L40S", "--rows", "20000", *PRICE],
    "recommend-gpu-table.txt": [
        "recommend",
        "--model",
        LLAMA,
        "--methods",
        "lora,dora,full",
        "--gpu",
        "NVIDIA L40S",
        "--rows",
        "20000",
        *PRICE,
    ],
    "explain-C06.txt": ["explain", "C06"],
}


# Of the recorded result, as the run `runs/first`.
RUN_OUTPUTS = {
    "run-table.txt": ["resume", "runs/first"],
    "run-markdown.md": ["resume", "runs/first", "--format", "markdown"],
    "status-table.txt": ["status", "runs/first"],
}


def compare(file: str, result: Result) -> None:
    assert result.exit_code == 0, result.stderr
    if os.environ.get("AUTOPEFT_REWRITE_GOLDEN"):
        (HERE / file).write_text(result.stdout, encoding="utf-8")
    recorded = (HERE / file).read_text(encoding="utf-8") if (HERE / file).exists() else ""
    assert result.stdout == recorded, "run `make golden` if this change is wanted"


@pytest.mark.parametrize("file", OUTPUTS)
def test_output_is_as_recorded(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_estimator", lambda *_: StandIn())
    monkeypatch.setenv("COLUMNS", "80")
    compare(file, CliRunner().invoke(cli, OUTPUTS[file], prog_name="autopeft"))


@pytest.mark.parametrize("file", RUN_OUTPUTS)
def test_a_run_is_shown_as_recorded(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    run = RunDirectory.create(Path("runs/first"))
    request = SearchRequest(model="a-model", dataset="a.csv", task="", budget_seconds=240.0)
    write_json(run.path / "plan.json", {"request": request.to_dict()})
    write_json(run.path / "ledger.json", {"sessions": [{"seconds": 215.0}]})
    (run.path / "result.json").write_text((HERE / "report.result.json").read_text(encoding="utf-8"), encoding="utf-8")
    compare(file, CliRunner().invoke(cli, RUN_OUTPUTS[file], prog_name="autopeft"))
