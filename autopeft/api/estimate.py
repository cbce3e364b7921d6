"""`estimate`: what one method costs on one model, or an existing peft configuration as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Unpack

from autopeft.api.request import MemoryOptions, Request, StepOptions, read_request, tracing_estimator
from autopeft.api.timing import Setting, TrainingRun, probed, read_setting
from autopeft.catalog.contents import Catalog
from autopeft.domain.knobs import Hyperparameters, Value
from autopeft.domain.memory import DType, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.step_checks import refused_method
from autopeft.domain.tasks import HEADS
from autopeft.errors import InputError, UsageError
from autopeft.recommend.batch import Price, largest_batch
from autopeft.recommend.options import DEVICE_CONTEXT_BYTES

# A recorded configuration has no learning rate, and the optimizer wants one; it moves no memory.
_ANY_LEARNING_RATE: Mapping[str, Value] = {"learning_rate": 1e-3}
# No run that a person means takes more sequences at once.
MOST_SEQUENCES = 4096


@dataclass(frozen=True, slots=True)
class LargestBatch:
    """The most sequences in one forward pass that fit a budget.

    Attributes:
        gradient_checkpointing: whether activations are recomputed.
        batch_size: sequences; None where not even one fits, or the method cannot recompute.
        reserved_bytes: of a step with them.
    """

    gradient_checkpointing: bool
    batch_size: int | None
    reserved_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class BudgetedEstimate(MemoryEstimate):
    """An estimate, and what the budget takes beyond it.

    Attributes:
        budget_bytes: memory that training may use on the device.
        context_bytes: of it, taken by the device before any tensor exists.
        fits: whether the step stays within the budget.
        largest_batches: the largest batch that fits, without and with recomputed activations.
    """

    budget_bytes: int = 0
    context_bytes: int = DEVICE_CONTEXT_BYTES
    fits: bool = False
    largest_batches: tuple[LargestBatch, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, under the public names of `estimate --format json`."""
        # dataclass(slots=True) makes the class anew, which the short form of super() does not survive.
        plain = super(BudgetedEstimate, self).to_dict()
        return plain | {"largest_batches": [one.to_dict() for one in self.largest_batches]}


def estimate(  # noqa: PLR0913 - the public verb: one keyword for each option of the command
    model: str | None = None,
    method: str = "lora",
    *,
    peft_config: str | Path | None = None,
    task: str | None = None,
    hyperparameters: Mapping[str, Value | str] | None = None,
    gpu_mem: str | int | None = None,
    gpu: str | None = None,
    training_rows: int | None = None,
    epochs: float = 3,
    price_per_hour: float | None = None,
    probe: bool = False,
    batch_size: int | None = None,
    max_length: int | None = None,
    dtype: DType = "bfloat16",
    gradient_checkpointing: bool = False,
    num_labels: int = 2,
    catalog: str | Path | None = None,
    **memory: Unpack[MemoryOptions],
) -> MemoryEstimate:
    """Predict memory and compute of one training step, without weights and without a GPU.

    Args:
        model: hub id, local folder, or a config.json; with `peft_config` by default the base that it names.
        method: id or alias of the method; means nothing with `peft_config`.
        peft_config: an `adapter_config.json`, or the folder that holds one, to be priced as it is.
        task: task id; by default what suits the architecture, or the type that `peft_config` names.
        hyperparameters: values for the method's knobs, as values or as text; the others start
            where the catalogue says.
        gpu_mem: memory that training may use on the device, like `"24GB"`, bytes, or `"auto"` for what is free on
            the device at hand; then the answer is a `BudgetedEstimate`, which also says the largest batch that fits.
        gpu: a device of the table, like `"L40S"`, for times; also for the memory where `gpu_mem` is left out.
        training_rows: labelled examples, for the hours of a whole training.
        epochs: passes over them.
        price_per_hour: of the device, for the money of a whole training.
        probe: whether a few real steps on the device at hand give the time; the model needs its weights.
        batch_size: sequences in one forward pass; by default the task's.
        max_length: tokens in a sequence; by default the task's.
        dtype: of the base model's weights.
        gradient_checkpointing: whether activations are recomputed.
        num_labels: outputs of a classification head.
        catalog: a folder of own methods, rules, tasks, ... in YAML, read beside the shipped catalogue.
        **memory: quantization, upcast, optimizer, accumulation, attention, gpus and sharding, as in
            `autopeft.domain.memory.StepShape`.

    Raises:
        UsageError: an unknown method, task or knob, a value out of range, or options that exclude each other.
        InputError: the model or the configuration cannot be used, or the method does not apply to the model.
        CatalogError: a file of `catalog` is broken.
    """
    from autopeft.catalog.load import load_catalog

    known = load_catalog(beside=catalog)
    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing, num_labels, inference=True, **memory)
    run = TrainingRun(training_rows, epochs, price_per_hour=price_per_hour)
    setting = read_setting(known, gpu, run, probe=probe)
    budget_bytes = setting.budget_bytes(gpu_mem)
    if peft_config is not None:
        if probe:
            raise UsageError("a probe runs a method of the catalogue", hint="leave out --probe, or name --method")
        if hyperparameters:
            raise UsageError(
                "hyperparameters are in the peft configuration", hint="change them there, or name --method"
            )
        return _estimate_recorded(known, peft_config, model, task, step, setting, budget_bytes)
    if model is None:
        raise UsageError("estimate needs a model", hint="name one with --model")
    spec = known.method(method)
    request = read_request(known, model, task, step)
    if refusal := refused_method(spec, request.shape):
        raise UsageError(refusal.message, hint=refusal.hint)
    complete = spec.complete(_parsed(spec, hyperparameters or {}), request.base_parameters)
    price = _pricing(request, spec, complete, setting)
    found = price(request.shape)
    if probe:
        found = probed(found, request, spec, complete, setting.run)
    return _within_budget(price, found, request.shape, budget_bytes)


def _parsed(spec: MethodSpec, given: Mapping[str, Value | str]) -> dict[str, Value]:
    knobs = {knob.name: knob for knob in spec.knobs}
    return {
        name: knobs[name].parse(value) if isinstance(value, str) and name in knobs else value
        for name, value in given.items()
    }


def _pricing(request: Request, method: MethodSpec, hyperparameters: Hyperparameters, setting: Setting) -> Price:
    estimator = setting.timed(tracing_estimator(request.catalog, setting.hardware))
    return lambda shape: estimator(request.model, request.task, method, hyperparameters, shape)


def _estimate_recorded(
    catalog: Catalog,
    place: str | Path,
    model: str | None,
    task: str | None,
    step: StepOptions,
    setting: Setting,
    budget_bytes: int | None,
) -> MemoryEstimate:
    """The estimate of a recorded configuration: `method` is its type, `hyperparameters` are its fields."""
    from autopeft.modeling.recorded import read_recorded

    recorded = read_recorded(place)
    name = model or recorded.base_model
    if name is None:
        raise UsageError(f"{recorded.method.as_recorded} names no base model", hint="name it with --model")
    meant = [head.known_as for head in HEADS.values() if head.peft_task_type == recorded.peft_task_type]
    request = read_request(catalog, name, task or next(iter(meant), None), step)
    price = _pricing(request, recorded.method, _ANY_LEARNING_RATE, setting)
    found = replace(price(request.shape), hyperparameters=recorded.fields)
    return _within_budget(price, found, request.shape, budget_bytes)


def _within_budget(price: Price, found: MemoryEstimate, shape: StepShape, budget_bytes: int | None) -> MemoryEstimate:
    """The estimate with the largest batches that fit beside it, where there is a budget."""
    if budget_bytes is None:
        return found
    known = {field.name: getattr(found, field.name) for field in fields(found)}
    return BudgetedEstimate(
        **known,
        budget_bytes=budget_bytes,
        fits=found.reserved_bytes + DEVICE_CONTEXT_BYTES <= budget_bytes,
        largest_batches=tuple(_largest(price, shape, budget_bytes, recompute) for recompute in (False, True)),
    )


def _largest(price: Price, shape: StepShape, budget_bytes: int, recompute: bool) -> LargestBatch:
    asked = replace(shape, gradient_checkpointing=recompute)
    try:
        found = largest_batch(
            price, asked, most=MOST_SEQUENCES, budget_bytes=budget_bytes, context_bytes=DEVICE_CONTEXT_BYTES
        )
    except InputError:  # this model or method cannot recompute
        found = None
    size, estimate = found if found else (None, None)
    return LargestBatch(recompute, size, estimate.reserved_bytes if estimate else None)
