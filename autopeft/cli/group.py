"""A command group that imports a command only when it is asked for, and reports errors in one place."""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from autopeft.errors import AutopeftError

_BUG = 1
_INTERRUPTED = 130


class LazyGroup(click.Group):
    """Commands by name, each a `module:attribute` that is imported when it is needed.

    Attributes:
        places: command name -> where it is, in the order in which help lists them.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order given."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in self.places:
            return None
        module, _, attribute = self.places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def main(self, args: Sequence[str] | None = None, *_: Any, **settings: Any) -> Any:
        """Run, say what went wrong in one line and a hint, and exit with the status that belongs to it."""
        given = list(sys.argv[1:] if args is None else args)
        # Taken out before parsing, so that it works in front of the command and behind it.
        debug = "--debug" in given
        arguments = [argument for argument in given if argument != "--debug"]
        settings.pop("standalone_mode", None)
        # Third parties' running commentary is none of ours; what matters in it is checked and raised.
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        try:
            status = super().main(arguments, standalone_mode=False, **settings)
            sys.stdout.flush()
        except BaseException as error:
            status = report(error, debug)
        sys.exit(status if isinstance(status, int) else 0)


def report(error: BaseException, debug: bool) -> int:
    """Write what went wrong to stderr; the exit status that belongs to it."""
    if debug and not isinstance(error, SystemExit | click.ClickException):
        traceback.print_exception(error)
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            click.echo("interrupted", err=True)
            return _INTERRUPTED
        case BrokenPipeError():
            # The reader (head, less) has gone, which is its right; nothing may be written any more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case AutopeftError():
            kind = "interrupted" if error.exit_code == _INTERRUPTED else "error"
            click.echo(f"{kind}: {error.message}", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            return error.exit_code
    click.echo(f"error: {type(error).__name__}: {str(error).strip() or 'no message'}", err=True)
    if not debug:
        click.echo("hint: this is a bug in autopeft; run again with --debug and report what it prints", err=True)
    return _BUG
