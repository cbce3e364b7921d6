"""`autopeft estimate`."""

from typing import TYPE_CHECKING, Any

import click

from autopeft.cli.options import catalog_option, format_option, hardware_options, step_options

if TYPE_CHECKING:
    from autopeft.cli.tables import Output

EPILOG = """\b
Examples:
  autopeft estimate --model meta-llama/Llama-3.2-3B --method lora --set r=32 --max-length 768
  autopeft estimate --model ./config.json --method full --batch-size 1 --gradient-checkpointing
  autopeft estimate --model mistralai/Mistral-7B-v0.1 --quantization nf4-double --gradient-checkpointing
  autopeft estimate --model t5-large --method ia3 --format json
  autopeft estimate --model meta-llama/Llama-2-7b-hf --gpu-mem 24GB      # and the largest batch that fits
  autopeft estimate --model gpt2 --gpu L40S --rows 20000 --price-per-hour 1.80
  autopeft estimate --peft-config ./my-adapter/adapter_config.json
"""


@click.command(epilog=EPILOG)
@click.option("--model", metavar="ID_OR_PATH", help="Hub id, model folder, or a config.json.")
@click.option("--method", default="lora", show_default=True, help="See `autopeft methods`.")
@click.option(
    "--peft-config",
    metavar="PATH",
    help="Price this adapter_config.json, or adapter folder, as it is; --model is by default the base that it names.",
)
@click.option("--gpu-mem", metavar="SIZE", help="Say whether the step fits (auto: the free memory here).")
@click.option("--task", metavar="TASK", help="See `autopeft tasks`; by default what suits the architecture.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
@hardware_options
@click.option("--rows", "training_rows", type=click.IntRange(min=1), help="Training rows, for the hours of a training.")
@click.option(
    "--epochs", type=click.FloatRange(min=0, min_open=True), default=3, show_default=True, help="Passes over them."
)
@click.option("--probe", is_flag=True, help="Time a few real steps on the device at hand; needs the weights.")
@step_options
@catalog_option
@format_option
def estimate(model: str | None, method: str, settings: tuple[str, ...], output: "Output", **asked: Any) -> None:
    """Predict the memory of one training step, by component, and its time on a device that is named.

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
