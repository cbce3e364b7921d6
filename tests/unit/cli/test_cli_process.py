"""The command line as a process: what help imports, what reaches which stream, and a real estimate."""

import json
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


def test_recommend_and_estimate_agree_on_a_real_model(material: Path, tmp_path: Path) -> None:
    """Traced for real, from the config alone."""
    config = tmp_path / "config.json"
    config.write_bytes((material / "models" / "minilm-tiny-distilled" / "config.json").read_bytes())
    step = ("--model", str(config), "--batch-size", "8", "--max-length", "32", "--format", "json")
    program = ("-m", "autopeft.cli.main")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    ranked = run(*program, "recommend", "--methods", "lora,full", "--gpu-mem", "8GB", *step, **cache)
    assert ranked.returncode == 0, ranked.stderr
    estimated = run(*program, "estimate", "--method", "lora", *step, **cache)
    assert estimated.returncode == 0, estimated.stderr
    lora, full = sorted(json.loads(ranked.stdout)["candidates"], key=lambda one: one["trainable_parameters"])
    alone = json.loads(estimated.stdout)
    assert {name: lora[name] for name in alone} == alone
    assert lora["trainable_parameters"] < full["trainable_parameters"] == full["total_parameters"]
    assert lora["reserved_bytes"] < full["reserved_bytes"]
