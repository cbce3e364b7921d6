"""`recommend`: which methods fit, what each costs, which to try first, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Unpack

from autopeft.api.data_facts import profile_data
from autopeft.api.keep_advice import save_plan
from autopeft.api.price_ahead import price_ahead
from autopeft.api.request import (
    MemoryOptions,
    Request,
    StepOptions,
    choose_methods,
    read_request,
    tracing_estimator,
)
from autopeft.api.smaller_models import smaller_model
from autopeft.api.timing import TrainingRun, read_setting
from autopeft.api.trials import affordable_trials
from autopeft.domain.memory import DType, Estimator
from autopeft.domain.methods import MethodSpec
from autopeft.domain.recommendation import Recommendation
from autopeft.errors import UsageError
from autopeft.recommend.answer import recommend_methods
from autopeft.recommend.fit import require_candidates
from autopeft.recommend.objective import read_objective
from autopeft.recommend.options import DataFacts, Options
from autopeft.recommend.requirement_text import read_requirements
from autopeft.recommend.requirements import refuse_contradiction


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

    def save(self, path: str | Path) -> list[str]:
        """Write the first candidates as a plan for `search`; what was written, in words.

        Raises:
            NothingFitsError: there is no candidate.
            UsageError: the file cannot be written.
        """
        return save_plan(self, Path(path))

    def export(self, folder: str | Path, method: str | None = None, *, catalog: str | Path | None = None) -> list[str]:
        """Write a peft configuration and a plain training script for one candidate; what was written, in words.

        Args:
            folder: made where it is missing.
            method: of a candidate; by default the first.
            catalog: the folder of own methods that `recommend` was given.

        Raises:
            NothingFitsError: there is no such candidate.
            ModelError: peft refuses the method on this model.
            UsageError: the files cannot be written.
        """
        from autopeft.api.export_script import export_candidate

        return export_candidate(self, Path(folder), method, catalog)


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
    budget: str | None = None,
    learning_rate: float | None = None,
    objective: str | Mapping[str, float] | None = None,
    require: Sequence[str] = (),
    adapters_to_serve: int = 1,
    keep_precision: bool = False,
    gpu: str | None = None,
    price_per_hour: float | None = None,
    allow_empty: bool = False,
    catalog: str | Path | None = None,
    **memory: Unpack[MemoryOptions],
) -> RankedMethods:
    """Rank the methods for a model, a task and a memory budget, without weights and without a GPU.

    Args:
        model: hub id, local folder, or a config.json.
        task: task id; by default what suits the architecture.
        gpu_mem: memory that training may use on the device, like `"24GB"`, bytes, or `"auto"` for what is free on
            the device at hand; None takes the named device's, or ranks without a budget.
        dataset: a local file, folder or hub id; its rows, balance, lengths and contradictions feed the rules.
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
        trials: configurations that will be tried; None means the starting values only, or what `budget` allows.
        budget: time for all of them, like `"2h"`; with a `gpu` and rows or `max_steps` it says how many trials.
        learning_rate: the only one that will be tried; None for each method's own.
        objective: quality, memory, speed or size, or weights of them like `"quality=2,memory=1"`.
        require: what the result must be: mergeable, zero-inference-overhead, quantized-base-ok, max-adapter-mb=8,
            max-latency-overhead=0.1.
        adapters_to_serve: adapters that will be served over the same base model.
        keep_precision: whether a base that is too large may not be quantised to 4 bits.
        gpu: a device of the table, like `"L40S"`: ranks by seconds rather than operations, and says hours.
        price_per_hour: of the device, for the money of a whole training.
        allow_empty: whether an answer without candidates is returned rather than raised.
        catalog: a folder of own methods, rules, tasks, ... in YAML, read beside the shipped catalogue.
        **memory: quantization, upcast, optimizer, accumulation, attention, gpus and sharding, as in
            `autopeft.domain.memory.StepShape`.

    Raises:
        NothingFitsError: no method fits; the message names the nearest.
        UsageError: an option makes no sense.
        ModelError: the model cannot be used.
        CatalogError: a file of `catalog` is broken.
    """
    from autopeft.catalog.load import load_catalog

    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing, num_labels, **memory)
    known = load_catalog(beside=catalog)
    run = TrainingRun(training_rows, epochs, max_steps, price_per_hour)
    budget_bytes = read_setting(known, gpu, run).budget_bytes(gpu_mem)
    request = read_request(known, model, task, step)
    data = profile_data(dataset, request.task, request.model.path) if dataset else None
    rows = data.rows if data else training_rows
    chosen = choose_methods(request.catalog, methods, exclude)
    aim = read_objective(objective)
    setting = read_setting(known, gpu, replace(run, rows=rows))
    options = Options(
        shape=request.shape,
        budget_bytes=budget_bytes,
        training_rows=rows,
        epochs=epochs,
        max_steps=max_steps,
        trials=trials or 1,
        priority=aim.priority,
        weights=aim.weights,
        adapters_to_serve=adapters_to_serve,
        data=data.facts if data else DataFacts(),
        may_quantize=not keep_precision,
        learning_rate=learning_rate,
        **read_requirements(require),
    )
    _check(options, chosen if methods else ())
    estimator = tracing_estimator(request.catalog, setting.hardware)
    if budget is not None and trials is None:
        options = replace(options, trials=affordable_trials(request, options, setting, estimator, budget))
    price_ahead(estimator, [partial(_rank_one, request, method, options) for method in chosen])
    answer = rank_methods(request, chosen, options, setting.timed(estimator))
    answer = replace(answer, notes=(data.describe(),) if data else ())
    if not answer.candidates and any(one.estimate for one in answer.excluded):
        answer = replace(answer, advice=answer.advice + smaller_model(request, options, estimator, step))
    if not allow_empty:
        require_candidates(answer)
    return answer


def _check(options: Options, named: Sequence[MethodSpec]) -> None:
    """Refuse what makes no sense, or contradicts the methods that were named.

    Raises:
        UsageError: it does.
    """
    rate = options.learning_rate
    if rate is not None and not 0 < rate <= 1:
        raise UsageError(f"a learning rate of {rate:g} makes no sense", hint="write it like 2e-4")
    if named:
        refuse_contradiction(named, options)


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
        evidence=request.catalog.evidence.values(),
        estimator=estimator or tracing_estimator(request.catalog),
        options=options,
    )
    return RankedMethods(**{field.name: getattr(answer, field.name) for field in fields(answer)})
