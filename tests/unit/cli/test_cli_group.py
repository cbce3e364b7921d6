"""Errors become one line, a hint and an exit code; the traceback shows only on request."""

import click
import pytest
from click.testing import CliRunner, Result

from autopeft.cli.group import LazyGroup
from autopeft.errors import (
    AutopeftError,
    CatalogError,
    DataError,
    MissingDependencyError,
    ModelError,
    NothingFitsError,
    RunError,
    RunInterrupted,
    UsageError,
)

FAULTS: dict[str, BaseException] = {
    "usage": UsageError("what", hint="do this"),
    "nothing": NothingFitsError("what", hint="do this"),
    "catalog": CatalogError("what", hint="do this"),
    "data": DataError("what", hint="do this"),
    "model": ModelError("what", hint="do this"),
    "missing": MissingDependencyError("what", hint="do this"),
    "run": RunError("what", hint="do this"),
    "stopped": RunInterrupted("what", hint="do this"),
    "bug": ZeroDivisionError("what"),
    "interrupt": KeyboardInterrupt(),
}
CODES = {
    "usage": 2,
    "nothing": 3,
    "catalog": 4,
    "data": 4,
    "model": 4,
    "missing": 5,
    "run": 6,
    "stopped": 130,
}


@click.command()
@click.argument("fault", type=click.Choice([*FAULTS, "none"]))
def failing(fault: str) -> None:
    """Fail in the way that is asked for."""
    click.echo("a result")
    if fault in FAULTS:
        raise FAULTS[fault]


def run(*arguments: str) -> Result:
    @click.group(cls=LazyGroup, places={"fail": f"{__name__}:failing"})
    def cli() -> None:
        """A group."""

    return CliRunner().invoke(cli, arguments)


@pytest.mark.parametrize(("fault", "code"), CODES.items())
def test_an_error_is_told_with_its_hint_and_code(fault: str, code: int) -> None:
    result = run("fail", fault)
    assert result.exit_code == code
    assert result.stdout == "a result\n"
    assert result.stderr == f"{'interrupted' if code == 130 else 'error'}: what\nhint: do this\n"


def test_a_bug_asks_for_debug_and_hides_the_traceback() -> None:
    result = run("fail", "bug")
    assert result.exit_code == 1
    assert "ZeroDivisionError: what" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [("--debug", "fail", "bug"), ("fail", "bug", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


def test_debug_shows_the_traceback_of_a_known_error_too() -> None:
    assert "Traceback" in run("--debug", "fail", "model").stderr


def test_an_interrupt_exits_130_without_noise() -> None:
    result = run("fail", "interrupt")
    assert result.exit_code == 130
    assert result.stderr.strip() == "interrupted"


def test_success_exits_0_and_usage_errors_exit_2() -> None:
    assert run("fail", "none").exit_code == 0
    assert run("fail", "other").exit_code == 2
    assert run("unknown").exit_code == 2
    assert run("--help").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("fial",), "there is no command 'fial'", "did you mean fail?"),
        (("zebra",), "there is no command 'zebra'", "`cli --help` shows how it is used"),
        (("fail",), "missing argument", "`cli fail --help` shows how it is used"),
        (("fail", "none", "--loud"), "no such option '--loud'", "`cli fail --help` shows how it is used"),
        (("fail", "none", "--hepl"), "no such option '--hepl'", "did you mean --help?"),
    ],
)
def test_a_usage_error_is_one_line_and_a_hint(arguments: tuple[str, ...], error: str, hint: str) -> None:
    first, second = run(*arguments).stderr.splitlines()
    assert first.startswith(f"error: {error}")
    assert second == f"hint: {hint}"


def test_no_command_at_all_shows_the_help() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Usage: " in result.stderr and "error:" not in result.stderr


def test_every_error_kind_is_covered_here() -> None:
    covered = {type(fault) for fault in FAULTS.values() if isinstance(fault, AutopeftError)}
    known: set[type[AutopeftError]] = set()
    waiting: list[type[AutopeftError]] = [AutopeftError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if not kind.__subclasses__():
            known.add(kind)
    ours = {kind for kind in known if kind.__module__ == "autopeft.errors"}
    # A narrower kind of one that is covered is told in the same way.
    assert {kind for kind in ours if covered.isdisjoint(kind.__mro__)} == set()
    assert all(kind.exit_code == kind.__mro__[1].exit_code for kind in ours - covered)
