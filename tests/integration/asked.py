"""Finished runs asked by the command line."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from autopeft.api.run import SearchResult
from autopeft.cli.main import cli


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="autopeft")


def answered(run: SearchResult, path: Path, *more: object) -> list[dict[str, Any]]:
    result = invoke("predict", run.path, "--input", path, *more)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def figure(run: SearchResult, path: Path) -> float:
    result = invoke("evaluate", run.path, "--dataset", path, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return float(json.loads(result.stdout)["value"])
