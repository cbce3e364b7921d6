"""The `autopeft` command."""

import logging

import click

import autopeft
from autopeft.cli.group import LazyGroup

COMMANDS = {
    "recommend": "autopeft.cli.recommend:recommend",
    "estimate": "autopeft.cli.estimate:estimate",
    "search": "autopeft.cli.search:search",
    "resume": "autopeft.cli.search:resume",
    "status": "autopeft.cli.runs:status",
    "report": "autopeft.cli.runs:report",
    "predict": "autopeft.cli.predict:predict",
    "evaluate": "autopeft.cli.evaluate:evaluate",
    "merge": "autopeft.cli.merge:merge",
    "fuse": "autopeft.cli.fuse:fuse",
    "export": "autopeft.cli.export:export",
    "compare": "autopeft.cli.compare:compare",
    "push": "autopeft.cli.push:push",
    "dashboard": "autopeft.cli.dashboard:dashboard",
    "doctor": "autopeft.cli.doctor:doctor",
    "methods": "autopeft.cli.methods:methods",
    "explain": "autopeft.cli.methods:explain",
    "tasks": "autopeft.cli.methods:tasks",
}

EPILOG = """\b
Examples:
  autopeft recommend --gpu-mem 24GB --model meta-llama/Llama-3.2-3B
  autopeft estimate --model bert-base-uncased --method lora --set r=32
  autopeft search --demo
  autopeft methods ia3
"""


@click.group(
    cls=LazyGroup,
    places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(autopeft.__version__, prog_name="autopeft")
def cli() -> None:
    """Which parameter-efficient fine-tuning method, on the GPU you have.

    Results go to stdout, commentary to stderr. Add --debug to any command to see the traceback of an error.
    Exit codes: 0 done, 2 usage, 3 no method fits, 4 bad catalogue, data or model, 5 missing extra or device,
    6 the run could not finish, 130 interrupted, 1 a bug.
    """
    # peft imports it where it is installed, and then it warns of a kernel that nothing here uses.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def main() -> None:
    """Run the command line; the entry point of the installed script."""
    cli(prog_name="autopeft")


if __name__ == "__main__":
    main()
