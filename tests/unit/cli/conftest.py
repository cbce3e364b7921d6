"""The command line over a stand-in estimator."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from autopeft.api import request
from autopeft.cli.main import cli
from tests.unit.cli.stand_in import StandIn

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `autopeft` in this process; nothing is traced."""
    monkeypatch.setattr(request, "_estimator", lambda *_: StandIn())
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(cli, list(arguments), prog_name="autopeft")
