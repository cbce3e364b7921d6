"""`recommend` without a model: what a memory budget can fine-tune among well-known base models."""

from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from typing import Any, Unpack

from autopeft.api.price_ahead import price_ahead
from autopeft.api.recommend import rank_methods
from autopeft.api.request import (
    BAR_TO_BEAT,
    MemoryOptions,
    Request,
    StepOptions,
    read_request,
    tracing_estimator,
)
from autopeft.api.timing import TrainingRun, read_setting
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
    gpu_mem: str | int | None = None,
    *,
    gpu: str | None = None,
    task: str | None = None,
    batch_size: int | None = None,
    max_length: int | None = None,
    dtype: DType = "bfloat16",
    gradient_checkpointing: bool = False,
    **memory: Unpack[MemoryOptions],
) -> ModelsForBudget:
    """For each base model that the shipped table suggests: the largest step that fits, and what it needs.

    Raises:
        NothingFitsError: not even the smallest model fits.
        UsageError: an option makes no sense.
    """
    from autopeft.catalog.load import load_catalog

    catalog = load_catalog()
    budget = read_setting(catalog, gpu, TrainingRun()).budget_bytes(gpu_mem)
    if budget is None:
        raise UsageError("a memory budget is missing", hint="name it like 24GB")
    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing, **memory)
    estimator = tracing_estimator(catalog)
    asked = []
    for name in catalog.suggested_models:
        try:
            request = read_request(catalog, name, task, step)
        except UsageError:
            # This model cannot do the task, or not at this length; another may.
            continue
        asked.append((request, Options(shape=request.shape, budget_bytes=budget)))
    price_ahead(estimator, [partial(_largest_that_fits, request, options) for request, options in asked])
    found = [_largest_that_fits(request, options, estimator) for request, options in asked]
    if not any(one.fits for one in found):
        raise NothingFitsError(
            f"no well-known model can be fine-tuned in {gpu_mem or gpu}",
            hint="give more memory, or a smaller --max-length",
        )
    return ModelsForBudget(
        budget, tuple(sorted(found, key=lambda one: (not one.fits, -one.model_parameters, one.model)))
    )


def _largest_that_fits(request: Request, options: Options, estimator: Estimator) -> FittingModel:
    """LoRA with the largest micro-batch that fits, with activations recomputed where nothing else does."""
    method = request.catalog.method(BAR_TO_BEAT)
    if not _weights_fit(request, options):
        return _entry(request, options.shape, None, None)
    answer = rank_methods(request, (method,), options, estimator)
    if answer.candidates:
        best = answer.candidates[0]
        return _entry(request, best.shape, method, best.estimate.reserved_bytes + options.context_bytes)
    estimates = [one.estimate for one in answer.excluded if one.estimate]
    needed = min((one.reserved_bytes + options.context_bytes for one in estimates), default=None)
    return _entry(request, options.shape, None, needed)


def _weights_fit(request: Request, options: Options) -> bool:
    """Whether it is worth a trace: the weights alone are within the budget."""
    weight_bytes = request.base_parameters * options.shape.least_bytes_per_parameter
    return options.budget_bytes is None or weight_bytes + options.context_bytes <= options.budget_bytes


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
