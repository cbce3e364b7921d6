"""`autopeft recommend`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autopeft.cli.advice_options import advice_options, output_options
from autopeft.cli.options import MEMORY_OPTIONS, catalog_option, hardware_options, split_names, step_options
from autopeft.errors import UsageError

if TYPE_CHECKING:
    from autopeft.cli.advice_options import Format

EPILOG = """\b
Examples:
  autopeft recommend --gpu-mem 24GB --model meta-llama/Llama-3.2-3B
  autopeft recommend --gpu-mem 8GB --model ./my-bert --dataset reviews.csv --trials 20
  autopeft recommend --gpu-mem 16GB --model gpt2 --require mergeable,max-adapter-mb=8 --objective quality=2,memory=1
  autopeft recommend --gpu-mem 24GB --model gpt2 --save plan.yaml      # then: search --plan plan.yaml --dataset D
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
@advice_options
@hardware_options
@step_options
@catalog_option
@output_options
def recommend(
    gpu_mem: str | None, model: str | None, output: "Format", save: Path | None, export: Path | None, **asked: Any
) -> None:
    """Rank the methods for a model and a memory budget, with reasons.

    Predicts memory and compute of every method by tracing a training step, without weights or a GPU, leaves
    out what does not fit, and ranks the rest by published findings and measurements, each cited. Without --model
    it says what the budget can fine-tune among well-known models.
    """
    shown = {name: asked.pop(name) for name in ("every", "taken_apart")}
    for option in ("methods", "exclude"):
        asked[option] = split_names(asked[option])
    if model is None:
        if save or export:
            raise UsageError("--save and --export need --model", hint="name the base model that you chose")
        _recommend_models(gpu_mem, output, asked)
        return
    from autopeft.api.recommend import recommend as ask
    from autopeft.cli.recommend_view import say_by_name_only, show
    from autopeft.recommend.fit import require_candidates

    answer = ask(model, gpu_mem=gpu_mem, allow_empty=True, **asked)
    show(answer, output, **shown, catalog=asked["catalog"])
    if not asked["methods"]:
        say_by_name_only(output, asked["catalog"])
    require_candidates(answer)
    for path, write in ((save, answer.save), (export, partial(answer.export, catalog=asked["catalog"]))):
        if path is not None:
            for line in write(path):
                click.echo(line, err=True)


def _recommend_models(gpu_mem: str | None, output: "Format", asked: dict[str, Any]) -> None:
    if gpu_mem is None and asked["gpu"] is None:
        raise UsageError(
            "recommend needs --gpu-mem, --gpu or --model", hint="name a budget (--gpu-mem 24GB), a model, or both"
        )
    from autopeft.api.recommend_models import recommend_models
    from autopeft.cli.recommend_models_view import show_models

    step = ("batch_size", "max_length", "dtype", "gradient_checkpointing", "keep_precision", *MEMORY_OPTIONS)
    kept = {name: asked[name] for name in ("gpu", "task", "methods", "catalog", *step)}
    show_models(recommend_models(gpu_mem, **kept), output)
