"""What people see, word for word. After a wanted change: `make golden`, and read the diff."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from autopeft.api import request
from autopeft.cli.main import COMMANDS, cli
from tests.unit.cli.stand_in import StandIn

HERE = Path(__file__).parent
LLAMA = "meta-llama/Llama-3.2-3B"
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
    "explain-C06.txt": ["explain", "C06"],
}


@pytest.mark.parametrize("file", OUTPUTS)
def test_output_is_as_recorded(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_estimator", lambda _catalog: StandIn())
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(cli, OUTPUTS[file], prog_name="autopeft")
    assert result.exit_code == 0, result.stderr
    if os.environ.get("AUTOPEFT_REWRITE_GOLDEN"):
        (HERE / file).write_text(result.stdout, encoding="utf-8")
    recorded = (HERE / file).read_text(encoding="utf-8") if (HERE / file).exists() else ""
    assert result.stdout == recorded, "run `make golden` if this change is wanted"
