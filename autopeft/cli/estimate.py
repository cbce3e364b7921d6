"""`autopeft estimate`."""

from typing import TYPE_CHECKING, Any

import click

from autopeft.cli.options import format_option, step_options

if TYPE_CHECKING:
    from autopeft.cli.tables import Output

EPILOG = """\b
Examples:
  autopeft estimate --model meta-llama/Llama-3.2-3B --method lora --set r=32 --max-length 768
  autopeft estimate --model ./config.json --method full --batch-size 1 --gradient-checkpointing
  autopeft estimate --model t5-large --method ia3 --format json
"""


@click.command(epilog=EPILOG)
@click.option("--model", required=True, metavar="ID_OR_PATH", help="Hub id, model folder, or a config.json.")
@click.option("--method", default="lora", show_default=True, help="See `autopeft methods`.")
@click.option("--task", metavar="TASK", help="See `autopeft tasks`; by default what suits the architecture.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
@step_options
@format_option
def estimate(model: str, method: str, settings: tuple[str, ...], output: "Output", **asked: Any) -> None:
    """Predict the memory of one training step, by component.

    Traces the real model and the real method without weights and without a GPU.
    """
    from autopeft.api.estimate import estimate as ask
    from autopeft.cli.estimate_view import show

    show(ask(model, method, hyperparameters=dict(map(_setting, settings)), **asked), output)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise click.BadParameter(f"{text!r} is not NAME=VALUE; write it like r=32", param_hint="--set")
    return name.strip(), value.strip()
