"""`autopeft push`."""

from pathlib import Path

import click

from autopeft.cli.options import run_format_option
from autopeft.cli.run_options import run_argument
from autopeft.errors import UsageError

EPILOG = """\b
Examples:
  autopeft push runs/20260102-030405 --repo me/x --base-model bert-base-uncased
  autopeft push runs/20260102-030405 --repo me/x --base-model bert-base-uncased --yes
"""


@click.command(epilog=EPILOG)
@run_argument
@click.option("--repo", metavar="OWNER/NAME", required=True, help="On the hub; made if it is not there.")
@click.option("--base-model", metavar="ID", help="Hub id of the base, where the search was given a folder.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--yes", is_flag=True, help="Upload; without it, only what would be uploaded is shown.")
@run_format_option
def push(run: Path, repo: str, base_model: str | None, private: bool, yes: bool, output_format: str) -> None:
    """Upload a run's best adapter with its model card to the hub; nothing leaves this machine without --yes."""
    from autopeft.api.push import push as publish
    from autopeft.cli.push_view import show_push

    show_push(publish(run, repo, base_model=base_model, private=private, yes=yes), output_format)
    if not yes:
        raise UsageError("nothing was uploaded", hint="say --yes to upload these files")
