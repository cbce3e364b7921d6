"""`recommend`: which methods fit, what each costs, which to try first, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any

from autopeft.api.request import (
    BAR_TO_BEAT,
    Request,
    StepOptions,
    choose_methods,
    count_training_rows,
    read_request,
    size_bytes,
    tracing_estimator,
)
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
    allow_empty: bool = False,
) -> RankedMethods:
    """Rank the methods for a model, a task and a memory budget, without weights and without a GPU.

    Args:
        model: hub id, local folder, or a config.json.
        task: task id; by default what suits the architecture.
        gpu_mem: memory that training may use on the device, like `"24GB"`, or bytes; None ranks
            without a budget.
        dataset: a local file or folder; its rows are counted for the rules about data size.
        methods: ids to choose among; by default all of the catalogue.
        exclude: ids to leave out.
        batch_size: sequences in one forward pass; by default the task's, or one at a time, accumulated to
            the task's, where LoRA does not fit otherwise.
        max_length: tokens in a sequence; by default the task's.
        dtype: of the base model's weights.
        gradient_checkpointing: whether activations are recomputed.
        num_labels: outputs of a classification head.
        training_rows: labelled examples, where no data set is given.
        epochs: passes over them.
        max_steps: optimizer steps of a full run.
        trials: configurations that will be tried; None means the starting values only.
        no_inference_overhead: whether the result must run as fast as the base model.
        priority: quality, memory or speed.
        allow_empty: whether an answer without candidates is returned rather than raised.

    Raises:
        NothingFitsError: no method fits; the message names the nearest.
        UsageError: an option makes no sense.
        ModelError: the model cannot be used.
    """
    from autopeft.catalog.load import load_catalog

    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing, num_labels)
    request = read_request(load_catalog(), model, task, step)
    options = Options(
        shape=request.shape,
        budget_bytes=size_bytes(gpu_mem),
        training_rows=count_training_rows(dataset, request.task) if dataset else training_rows,
        epochs=epochs,
        max_steps=max_steps,
        trials=1 if trials is None else trials,
        no_inference_overhead=no_inference_overhead,
        priority=priority,
    )
    chosen = choose_methods(request.catalog, methods, exclude)
    estimator = tracing_estimator(request.catalog)
    if batch_size is None and not _bar_to_beat_fits(request, options, estimator):
        options = one_sequence_at_a_time(options)
    answer = rank_methods(request, chosen, options, estimator)
    if not allow_empty:
        require_candidates(answer)
    return answer


def _bar_to_beat_fits(request: Request, options: Options, estimator: Estimator) -> bool:
    """Whether the method that the others are held against fits as the task would run it."""
    if options.budget_bytes is None:
        return True
    return bool(rank_methods(request, (request.catalog.method(BAR_TO_BEAT),), options, estimator).candidates)


def one_sequence_at_a_time(options: Options) -> Options:
    """The same optimizer step in as many forward passes as it has sequences: the least memory for it."""
    shape = replace(options.shape, batch_size=1)
    return replace(options, shape=shape, accumulation=options.accumulation * options.shape.batch_size)


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
