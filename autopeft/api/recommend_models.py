"""`recommend` without a model: what a memory budget can fine-tune among well-known base models."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Unpack

from autopeft.api.price_ahead import price_ahead
from autopeft.api.recommend import rank_methods
from autopeft.api.request import (
    BAR_TO_BEAT,
    MemoryOptions,
    Request,
    StepOptions,
    choose_methods,
    read_request,
    tracing_estimator,
)
from autopeft.api.timing import TrainingRun, read_setting
from autopeft.domain.memory import DType, Estimator, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.errors import NothingFitsError, UsageError
from autopeft.recommend.fit import weights_fit
from autopeft.recommend.options import Options


@dataclass(frozen=True, slots=True)
class FittingModel:
    """A base model and the first way to fine-tune it that fits.

    Attributes:
        model: hub id.
        model_parameters: its size.
        task: the task that was assumed.
        shape: of the step that fits, its precision among it, or of the step that was asked for.
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


def recommend_models(  # noqa: PLR0913 - the public verb: one keyword for each option of the command
    gpu_mem: str | int | None = None,
    *,
    gpu: str | None = None,
    task: str | None = None,
    methods: Sequence[str] | None = None,
    batch_size: int | None = None,
    max_length: int | None = None,
    dtype: DType = "bfloat16",
    gradient_checkpointing: bool = False,
    keep_precision: bool = False,
    catalog: str | Path | None = None,
    **memory: Unpack[MemoryOptions],
) -> ModelsForBudget:
    """For each base model that the shipped table suggests: the largest step that fits, and what it needs.

    Args:
        gpu_mem: memory that training may use on the device, like `"24GB"`; None takes the named device's.
        gpu: a device of the table.
        task: task id; by default what suits each architecture.
        methods: ids, the first that fits is named; by default LoRA.
        batch_size: sequences in one optimizer step; by default the task's.
        max_length: tokens in a sequence; by default the task's.
        dtype: of the base model's weights, where they fit.
        gradient_checkpointing: whether activations are recomputed even where it need not be.
        keep_precision: whether a base that is too large may not be quantised to 4 bits.
        catalog: a folder of own methods, rules, tasks, ... in YAML, read beside the shipped catalogue.
        **memory: as in `recommend`.

    Raises:
        NothingFitsError: not even the smallest model fits.
        UsageError: an option makes no sense.
    """
    from autopeft.catalog.load import load_catalog

    known = load_catalog(beside=catalog)
    setting = read_setting(known, gpu, TrainingRun())
    budget = setting.budget_bytes(gpu_mem)
    if budget is None:
        raise UsageError("a memory budget is missing", hint="name it like 24GB")
    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing, **memory)
    estimator = tracing_estimator(known, setting.hardware)
    chosen = choose_methods(known, methods or (BAR_TO_BEAT,), None)
    asked = []
    for name in known.suggested_models:
        try:
            request = read_request(known, name, task, step)
        except UsageError:
            # This model cannot do the task, or not at this length; another may.
            continue
        options = Options(shape=request.shape, budget_bytes=budget, may_quantize=not keep_precision)
        asked.append(partial(_largest_that_fits, request, chosen, options))
    price_ahead(estimator, asked)
    found = [ask(estimator) for ask in asked]
    if not any(one.fits for one in found):
        raise NothingFitsError(
            f"no well-known model can be fine-tuned in {gpu_mem or gpu}",
            hint="give more memory, or a smaller --max-length",
        )
    return ModelsForBudget(
        budget, tuple(sorted(found, key=lambda one: (not one.fits, -one.model_parameters, one.model)))
    )


def _largest_that_fits(
    request: Request, methods: Sequence[MethodSpec], options: Options, estimator: Estimator
) -> FittingModel:
    """The first of the methods that fits, with the largest micro-batch, in the base's own precision if possible."""
    needed = None
    for asked in _precisions(request, options):
        answer = rank_methods(request, methods, asked, estimator)
        by_id = {one.method: one for one in answer.candidates}
        for method in methods:
            if best := by_id.get(method.id):
                return _entry(request, best.shape, method, best.estimate.reserved_bytes + options.context_bytes)
        estimates = [one.estimate for one in answer.excluded if one.estimate]
        needed = min((one.reserved_bytes + options.context_bytes for one in estimates), default=needed)
    return _entry(request, options.shape, None, needed)


def _precisions(request: Request, options: Options) -> list[Options]:
    """The ways to store the base that are worth a trace: the weights alone are within the budget."""
    own = replace(options, may_quantize=False)
    ways = [own]
    if options.may_quantize and options.shape.quantization is None:
        ways.append(replace(own, shape=replace(options.shape, quantization="nf4", upcast="all")))
    return [way for way in ways if weights_fit(request.base_parameters, way)]


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
