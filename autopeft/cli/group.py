"""A command group that imports a command only when it is asked for, and reports errors in one place."""

import difflib
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


class UnknownCommandError(click.UsageError):
    """No command has that name.

    Attributes:
        nearest: the command that comes nearest, or None.
    """

    def __init__(self, name: str, ctx: click.Context, known: Sequence[str]) -> None:
        super().__init__(f"there is no command {name!r}", ctx)
        self.nearest = next(iter(difflib.get_close_matches(name, known, n=1)), None)


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with.

        Raises:
            UnknownCommandError: there is none of that name.
        """
        name = args[0]
        if name not in self.places and not name.startswith("-") and not ctx.resilient_parsing:
            raise UnknownCommandError(name, ctx, list(self.places))
        return super().resolve_command(ctx, args)

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
            _show_usage(error)
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
            _say(error.message, error.hint, kind=kind)
            return error.exit_code
    bug = "this is a bug in autopeft; run again with --debug and report what it prints"
    _say(f"{type(error).__name__}: {str(error).strip() or 'no message'}", None if debug else bug)
    return _BUG


def _say(message: str, hint: str | None, *, kind: str = "error") -> None:
    click.echo(f"{kind}: {_printable(message)}", err=True)
    if hint:
        click.echo(f"hint: {_printable(hint)}", err=True)


def _printable(text: str) -> str:
    """The text with control characters spelled out: file names and labels may hold orders to the terminal."""
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)


def _show_usage(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        _say(_one_line(error), _usage_hint(error))


def _one_line(error: click.ClickException) -> str:
    """Click's message in the house's form: one line, no capital, no full stop, the nearest name left to the hint."""
    text = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    text = " ".join(text.split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _usage_hint(error: click.ClickException) -> str | None:
    if isinstance(error, UnknownCommandError) and error.nearest:
        return f"did you mean {error.nearest}?"
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"did you mean {error.possibilities[0]}?"
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"`{context.command_path} --help` shows how it is used" if context else None
