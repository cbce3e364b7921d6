"""`recommend`: which methods fit, what each costs, which to try first, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import import_module
from typing import Any, Unpack

from autopeft.api.price_ahead import price_ahead
from autopeft.api.request import (
    MemoryOptions,
    Request,
    StepOptions,
    choose_methods,
    count_training_rows,
    read_request,
    tracing_estimator,
)
from autopeft.api.timing import TrainingRun, read_setting
from autopeft.domain.memory import DType, Estimator
from autopeft.domain.methods import MethodSpec
from autopeft.domain.recommendation import Recommendation
from autopeft.recommend.answer import recommend_methods
from autopeft.recommend.fit import require_candidates
from autopeft.recommend.options import Options, Priority


@dataclass(frozen=True, slots=True)
class RankedMethods(Recommendation):
    """A recommendation, also as a table."""

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with one row for each candidate, the best first."""
        columns = (
            "rank",
            "method",
            "title",
            "score",
            "fits",
            "batch_size",
            "accumulation",
            "gradient_checkpointing",
            "trainable_parameters",
            "peak_bytes",
            "reserved_bytes",
        )
        rows = [{name: row[name] for name in columns} for row in (one.to_dict() for one in self.candidates)]
        return import_module("pandas").DataFrame(rows, columns=list(columns))


def recommend(  # noqa: PLR0913 - the public verb: one keyword for each option of the command
    model: str,
    *,
    task: str | None = None,
    gpu_mem: str | int | None = None,
    dataset: str | None = None,
    methods: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    batch_size: int | None = None,
    max_length: int | None = None,
    dtype: DType = "bfloat16",
    gradient_checkpointing: bool = False,
    num_labels: int = 2,
    training_rows: int | None = None,
    epochs: float = 3,
    max_steps: int | None = None,
    trials: int | None = None,
    no_inference_overhead: bool = False,
    priority: Priority | None = None,
    gpu: str | None = None,
    price_per_hour: float | None = None,
    allow_empty: bool = False,
    **memory: Unpack[MemoryOptions],
) -> RankedMethods:
    """Rank the methods for a model, a task and a memory budget, without weights and without a GPU.

    Args:
        model: hub id, local folder, or a config.json.
        task: task id; by default what suits the architecture.
        gpu_mem: memory that training may use on the device, like `"24GB"`, bytes, or `"auto"` for what is free on
            the device at hand; None takes the named device's, or ranks without a budget.
        dataset: a local file or folder; its rows are counted for the rules about data size.
        methods: ids to choose among; by default all of the catalogue.
        exclude: ids to leave out.
        batch_size: sequences in one optimizer step; by default the task's. Under a budget each method gets the
            largest micro-batch that fits, accumulated to this, with activations recomputed where it must be.
        max_length: tokens in a sequence; by default the task's.
        dtype: of the base model's weights.
        gradient_checkpointing: whether activations are recomputed even where it need not be.
        num_labels: outputs of a classification head.
        training_rows: labelled examples, where no data set is given.
        epochs: passes over them.
        max_steps: optimizer steps of a full run.
        trials: configurations that will be tried; None means the starting values only.
        no_inference_overhead: whether the result must run as fast as the base model.
        priority: quality, memory or speed.
        gpu: a device of the table, like `"L40S"`: ranks by seconds rather than operations, and says hours.
        price_per_hour: of the device, for the money of a whole training.
        allow_empty: whether an answer without candidates is returned rather than raised.
        **memory: quantization, upcast, optimizer, accumulation, attention, gpus and sharding, as in
            `autopeft.domain.memory.StepShape`.

    Raises:
        NothingFitsError: no method fits; the message names the nearest.
        UsageError: an option makes no sense.
        ModelError: the model cannot be used.
    """
    from autopeft.catalog.load import load_catalog

    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing, num_labels, **memory)
    catalog = load_catalog()
    run = TrainingRun(training_rows, epochs, max_steps, price_per_hour)
    budget_bytes = read_setting(catalog, gpu, run).budget_bytes(gpu_mem)
    request = read_request(catalog, model, task, step)
    rows = count_training_rows(dataset, request.task) if dataset else training_rows
    options = Options(
        shape=request.shape,
        budget_bytes=budget_bytes,
        training_rows=rows,
        epochs=epochs,
        max_steps=max_steps,
        trials=1 if trials is None else trials,
        no_inference_overhead=no_inference_overhead,
        priority=priority,
    )
    chosen = choose_methods(request.catalog, methods, exclude)
    estimator = tracing_estimator(request.catalog)
    price_ahead(estimator, [partial(_rank_one, request, method, options) for method in chosen])
    setting = read_setting(catalog, gpu, replace(run, rows=rows))
    answer = rank_methods(request, chosen, options, setting.timed(estimator))
    if not allow_empty:
        require_candidates(answer)
    return answer


def _rank_one(request: Request, method: MethodSpec, options: Options, estimator: Estimator) -> None:
    """Ask everything that the recommendation asks about one method."""
    rank_methods(request, (method,), options, estimator)


def rank_methods(
    request: Request, methods: Sequence[MethodSpec], options: Options, estimator: Estimator | None = None
) -> RankedMethods:
    """The recommendation for a resolved request; it may be without candidates."""
    answer = recommend_methods(
        request.model,
        request.task,
        request.architecture,
        base_parameters=request.base_parameters,
        methods=methods,
        rules=request.catalog.rules.values(),
        estimator=estimator or tracing_estimator(request.catalog),
        options=options,
    )
    return RankedMethods(**{field.name: getattr(answer, field.name) for field in fields(answer)})
