"""`recommend` without a model: what a memory budget can fine-tune among well-known base models."""

from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any

from autopeft.api.recommend import one_sequence_at_a_time, rank_methods
from autopeft.api.request import BAR_TO_BEAT, Request, StepOptions, read_request, size_bytes, tracing_estimator
from autopeft.domain.memory import DType, Estimator, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.errors import NothingFitsError, UsageError
from autopeft.recommend.options import Options


@dataclass(frozen=True, slots=True)
class FittingModel:
    """A base model and the first way to fine-tune it that fits.

    Attributes:
        model: hub id.
        model_parameters: its size.
        task: the task that was assumed.
        shape: of the step that fits, or of the leanest that was tried.
        fits: whether a method fits.
        method: its id; None when none fits.
        title: of the method, for people.
        needed_bytes: reserved memory and device context in that shape; None where the weights alone are above
            the budget.
    """

    model: str
    model_parameters: int
    task: str
    shape: StepShape
    fits: bool
    method: str | None
    title: str
    needed_bytes: int | None


@dataclass(frozen=True, slots=True)
class ModelsForBudget:
    """What a budget can fine-tune: the largest model that fits first, then what does not fit."""

    budget_bytes: int
    models: tuple[FittingModel, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"budget_bytes": self.budget_bytes, "models": [asdict(one) for one in self.models]}

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with one row for each model."""
        return import_module("pandas").DataFrame(self.to_dict()["models"])


def recommend_models(
    gpu_mem: str | int,
    *,
    task: str | None = None,
    batch_size: int | None = None,
    max_length: int | None = None,
    dtype: DType = "bfloat16",
    gradient_checkpointing: bool = False,
) -> ModelsForBudget:
    """For each base model of the shipped table: the first way that fits, and what it needs.

    Raises:
        NothingFitsError: not even the smallest model fits.
        UsageError: an option makes no sense.
    """
    from autopeft.catalog.load import load_catalog

    catalog = load_catalog()
    budget = size_bytes(gpu_mem)
    if budget is None:
        raise UsageError("a memory budget is missing", hint="name it like 24GB")
    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing)
    estimator = tracing_estimator(catalog)
    found = []
    for name in catalog.models:
        try:
            request = read_request(catalog, name, task, step)
        except UsageError:
            # This model cannot do the task, or not at this length; another may.
            continue
        found.append(_first_that_fits(request, Options(shape=request.shape, budget_bytes=budget), estimator))
    if not any(one.fits for one in found):
        raise NothingFitsError(
            f"no well-known model can be fine-tuned in {gpu_mem}",
            hint="give more memory, or a smaller --max-length",
        )
    return ModelsForBudget(
        budget, tuple(sorted(found, key=lambda one: (not one.fits, -one.model_parameters, one.model)))
    )


def _first_that_fits(request: Request, options: Options, estimator: Estimator) -> FittingModel:
    """LoRA as the task would run it, else one sequence at a time, else with checkpointing too."""
    method = request.catalog.method(BAR_TO_BEAT)
    shape, needed = options.shape, None
    for one in _ladder(request, options):
        answer = rank_methods(request, (method,), one, estimator)
        estimates = [candidate.estimate for candidate in answer.candidates]
        estimates += [exclusion.estimate for exclusion in answer.excluded if exclusion.estimate]
        shape, needed = one.shape, min((e.reserved_bytes + one.context_bytes for e in estimates), default=None)
        if answer.candidates:
            return _entry(request, shape, method, needed)
    return _entry(request, shape, None, needed)


def _ladder(request: Request, options: Options) -> tuple[Options, ...]:
    """Ever leaner ways to run the same step; none where the weights alone are above the budget."""
    weight_bytes = request.base_parameters * (4 if options.shape.dtype == "float32" else 2)
    if options.budget_bytes is not None and weight_bytes + options.context_bytes > options.budget_bytes:
        return ()
    single = one_sequence_at_a_time(options)
    checkpointed = replace(single, shape=replace(single.shape, gradient_checkpointing=True))
    return tuple(dict.fromkeys((options, single, checkpointed)))


def _entry(request: Request, shape: StepShape, method: MethodSpec | None, needed_bytes: int | None) -> FittingModel:
    return FittingModel(
        model=request.model.name,
        model_parameters=request.base_parameters,
        task=request.task.id,
        shape=shape,
        fits=method is not None,
        method=method.id if method else None,
        title=method.title if method else "",
        needed_bytes=needed_bytes,
    )
