"""The command line as a process: what help imports, and how it ends."""

import os
import re
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


def test_a_terminal_gets_emphasis_but_no_colour() -> None:
    """So NO_COLOR needs no special case; 30 to 49 and 90 to 107 are the colour codes."""
    program = "import pty, sys\npty.spawn([sys.executable, '-m', 'autopeft.cli.main', 'methods', 'ia3'])"
    shown = run("-c", program, TERM="xterm-256color").stdout
    codes = {int(code) for group in re.findall(r"\x1b\[([0-9;]*)m", shown) for code in group.split(";") if code}
    assert 1 in codes
    assert not codes & {*range(30, 50), *range(90, 108)}
