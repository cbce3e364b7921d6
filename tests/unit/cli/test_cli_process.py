"""The command line as a process: what help imports, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "transformers", "peft", "pydantic", "yaml", "rich", "optuna", "datasets", "numpy")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["recommend", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom autopeft.cli.main import cli\n"
        f"try:\n    cli({arguments!r})\nfinally:\n"
        f"    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    result = run("-c", program)
    assert result.returncode == 0
    assert result.stderr.strip() == "[]"


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m autopeft.cli.main explain --format json | head -c 10"
    result = subprocess.run(
        command, shell=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert len(result.stdout) == 10
    assert result.stderr == ""
