"""`autopeft recommend`."""

from typing import TYPE_CHECKING, Any

import click

from autopeft.cli.options import MEMORY_OPTIONS, format_option, hardware_options, split_names, step_options
from autopeft.errors import UsageError

if TYPE_CHECKING:
    from autopeft.cli.tables import Output

EPILOG = """\b
Examples:
  autopeft recommend --gpu-mem 24GB --model meta-llama/Llama-3.2-3B
  autopeft recommend --gpu-mem 8GB --model ./my-bert --rows 2000 --trials 20
  autopeft recommend --gpu-mem 24GB                 # what fits, for well-known models
  autopeft recommend --gpu-mem 80GB --model ./config.json --format json
  autopeft recommend --gpu L40S --model gpt2 --rows 20000 --price-per-hour 1.80
"""


@click.command(epilog=EPILOG)
@click.option("--gpu-mem", metavar="SIZE", help="Memory that training may use: 24GB (10^9), 24GiB (2^30), auto.")
@click.option("--model", metavar="ID_OR_PATH", help="Hub id, model folder, or a config.json; no weights are needed.")
@click.option("--task", metavar="TASK", help="See `autopeft tasks`; by default what suits the architecture.")
@click.option("--methods", metavar="A,B", help="Choose among these only; see `autopeft methods`.")
@click.option("--exclude", metavar="A,B", help="Leave these out.")
@click.option("--dataset", metavar="PATH_OR_ID", help="Its training rows are counted for the rules about data size.")
@click.option("--rows", "training_rows", type=click.IntRange(min=1), help="Training rows, where no data set is given.")
@click.option(
    "--epochs",
    type=click.FloatRange(min=0, min_open=True),
    default=3,
    show_default=True,
    help="Passes over them.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Configurations that you will try; else the start values only.",
)
@click.option("--no-inference-overhead", is_flag=True, help="The result must run as fast as the base model.")
@click.option("--priority", type=click.Choice(["quality", "memory", "speed"]), help="What matters most.")
@click.option("--all", "every", is_flag=True, help="Show every method that fits, not the first ones only.")
@hardware_options
@step_options
@format_option
def recommend(gpu_mem: str | None, model: str | None, every: bool, output: "Output", **asked: Any) -> None:
    """Rank the methods for a model and a memory budget, with reasons.

    Predicts memory and compute of every method by tracing a training step, without weights or a GPU, leaves
    out what does not fit, and ranks the rest by published findings, each cited. Without --model it says what
    the budget can fine-tune among well-known models.
    """
    for option in ("methods", "exclude"):
        asked[option] = split_names(asked[option])
    if model is None:
        _recommend_models(gpu_mem, output, asked)
        return
    from autopeft.api.recommend import recommend as ask
    from autopeft.cli.recommend_view import say_by_name_only, show
    from autopeft.recommend.fit import require_candidates

    answer = ask(model, gpu_mem=gpu_mem, allow_empty=True, **asked)
    show(answer, output, every=every)
    if not asked["methods"]:
        say_by_name_only(output)
    require_candidates(answer)


def _recommend_models(gpu_mem: str | None, output: "Output", asked: dict[str, Any]) -> None:
    if gpu_mem is None and asked["gpu"] is None:
        raise UsageError(
            "recommend needs --gpu-mem, --gpu or --model", hint="name a budget (--gpu-mem 24GB), a model, or both"
        )
    from autopeft.api.recommend_models import recommend_models
    from autopeft.cli.recommend_view import show_models

    kept = ("gpu", "task", "batch_size", "max_length", "dtype", "gradient_checkpointing", *MEMORY_OPTIONS)
    show_models(recommend_models(gpu_mem, **{name: asked[name] for name in kept}), output)
