"""What a user asks for, resolved: model, task, architecture and the shape of a step."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypedDict

from autopeft.catalog.contents import Catalog
from autopeft.domain.context import longest_input
from autopeft.domain.hardware import HardwareSpec
from autopeft.domain.memory import (
    Attention,
    DType,
    Estimator,
    OptimizerName,
    Sharding,
    StepShape,
    Upcast,
)
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, Kind, ModelSpec, Quantization
from autopeft.domain.step_checks import refused_shape
from autopeft.domain.tasks import TaskSpec
from autopeft.domain.units import parse_size_bytes
from autopeft.errors import UsageError
from autopeft.memory.cache import cache_key, user_cache

# The method that the others are held against (rule P01); every architecture here takes it.
BAR_TO_BEAT = "lora"
DEFAULT_TASKS: dict[Kind, str] = {
    "encoder": "sequence-classification",
    "decoder": "causal-lm",
    "encoder-decoder": "text-to-text",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A model and a task, and how a step looks.

    Attributes:
        catalog: behind the names.
        model: the base.
        architecture: of the base.
        task: what it is tuned for.
        shape: of one training step.
        base_parameters: size of the base model.
    """

    catalog: Catalog
    model: ModelSpec
    architecture: ArchitectureSpec
    task: TaskSpec
    shape: StepShape
    base_parameters: int


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What a user may say about a training step; None takes the task's default.

    Attributes:
        batch_size: sequences in one forward pass; under a budget of `recommend`, in one optimizer step.
        max_length: tokens in a sequence.
        dtype: of the base model's weights.
        gradient_checkpointing: whether activations are recomputed.
        num_labels: outputs of a classification head.
        quantization: and what follows: as in `StepShape`.
    """

    batch_size: int | None = None
    max_length: int | None = None
    dtype: DType = "bfloat16"
    gradient_checkpointing: bool = False
    num_labels: int = 2
    quantization: Quantization | None = None
    upcast: Upcast = "none"
    optimizer: OptimizerName = "adamw"
    accumulation: int = 1
    attention: Attention = "sdpa"
    gpus: int = 1
    sharding: Sharding = "ddp"
    inference: bool = False


class MemoryOptions(TypedDict, total=False):
    """Options of a step that the verbs pass on; each as in `StepShape`."""

    quantization: Quantization | None
    upcast: Upcast
    optimizer: OptimizerName
    accumulation: int
    attention: Attention
    gpus: int
    sharding: Sharding


def read_request(catalog: Catalog, model: str, task: str | None, step: StepOptions) -> Request:
    """Resolve what was asked.

    Raises:
        ModelError: the model cannot be used.
        UsageError: an unknown task, a task that the model cannot do, or a step that makes no sense.
    """
    from autopeft.modeling.architecture import architecture_of
    from autopeft.modeling.source import read_model

    spec = read_model(model, catalog)
    architecture = architecture_of(spec.config, catalog)
    chosen = choose_task(catalog, task, architecture, model)
    shape = step_shape(spec, architecture, chosen, step)
    return Request(catalog, spec, architecture, chosen, shape, count_base_parameters(catalog, spec, chosen, shape))


def choose_task(catalog: Catalog, name: str | None, architecture: ArchitectureSpec, model: str) -> TaskSpec:
    """The task of that name, or what suits the architecture.

    Raises:
        UsageError: an unknown task, or one that the model cannot do.
    """
    task = catalog.task(name or DEFAULT_TASKS[architecture.kind])
    if architecture.kind not in task.architectures:
        suited = [one.id for one in catalog.tasks.values() if architecture.kind in one.architectures]
        article = "a" if architecture.kind == "decoder" else "an"
        raise UsageError(
            f"{task.id} does not run on {model}, which is {article} {architecture.kind}",
            hint=f"use {' or '.join(suited)}",
        )
    return task.on(architecture.kind)


def step_shape(model: ModelSpec, architecture: ArchitectureSpec, task: TaskSpec, step: StepOptions) -> StepShape:
    """The shape of a step, with the task's defaults where the user said nothing.

    Raises:
        UsageError: a size below one, a length that the model cannot take, or options that exclude each other.
    """
    longest = longest_sequence(model, architecture)
    batch_size = task.default_batch_size if step.batch_size is None else step.batch_size
    max_length = min(task.default_max_length, longest) if step.max_length is None else step.max_length
    for name, value in (
        ("batch size", batch_size),
        ("maximum length", max_length),
        ("label count", step.num_labels),
    ):
        if value < 1:
            raise UsageError(f"a {name} of {value} makes no sense", hint="it must be 1 or more")
    if max_length > longest:
        raise UsageError(
            f"{model.name} takes at most {longest} tokens, not {max_length}", hint=f"use {longest} or fewer"
        )
    shape = StepShape(**asdict(step) | {"batch_size": batch_size, "max_length": max_length})
    if refusal := refused_shape(shape):
        raise UsageError(refusal.message, hint=refusal.hint)
    return shape


def longest_sequence(model: ModelSpec, architecture: ArchitectureSpec) -> int:
    """The most tokens that the model takes; T5's relative positions set no bound, BART's learned ones do."""
    return longest_input(model, architecture.kind) or 2**20


def count_base_parameters(catalog: Catalog, model: ModelSpec, task: TaskSpec, shape: StepShape) -> int:
    """Parameters of the base model without a task head: the shipped table's, else counted on meta and remembered."""
    known = catalog.model_parameters.get(model.name) if model.path is None else None
    if known is not None:
        return known
    cache = user_cache()
    key = cache_key({"base parameters of": dict(model.config), "head": task.head})
    kept = (cache.get(key) or {}).get("parameters") if cache else None
    if isinstance(kept, int):
        return kept
    counted = _counted_on_meta(model, task, shape)
    if cache:
        cache.put(key, {"parameters": counted})
    return counted


def _counted_on_meta(model: ModelSpec, task: TaskSpec, shape: StepShape) -> int:
    from autopeft.modeling.build import build_on_meta
    from autopeft.modeling.heads import head_modules

    base = build_on_meta(model, task, replace(shape, quantization=None))
    heads = tuple(f"{name}." for name in head_modules(base))
    return sum(one.numel() for name, one in base.named_parameters() if not (heads and name.startswith(heads)))


def choose_methods(
    catalog: Catalog, methods: Sequence[str] | None, exclude: Sequence[str] | None
) -> tuple[MethodSpec, ...]:
    """The methods in question: those named, else all that are used by default; less those excluded.

    Raises:
        UsageError: an unknown name, or nothing is left.
    """
    if methods:
        named = {catalog.method(name).id: catalog.method(name) for name in methods}
    else:
        named = {method.id: method for method in catalog.methods.values() if not method.by_name_only}
    left_out = {catalog.method(name).id for name in exclude or ()}
    chosen = tuple(method for name, method in named.items() if name not in left_out)
    if not chosen:
        raise UsageError("every method is excluded", hint="exclude fewer")
    return chosen


def size_bytes(size: str | int | None) -> int | None:
    """A memory size as a user gives it: text like `24GB`, a number of bytes, or None.

    Raises:
        UsageError: it is no positive size.
    """
    return None if size is None else parse_size_bytes(str(size))


def tracing_estimator(catalog: Catalog, hardware: HardwareSpec | None = None) -> Estimator:
    """The estimator that traces a training step, or knows it from an earlier one; torch comes with the first trace.

    Args:
        catalog: behind the names.
        hardware: the device, where it is named.
    """
    return _estimator(catalog, hardware)


def _estimator(catalog: Catalog, hardware: HardwareSpec | None) -> Estimator:
    from autopeft.memory.estimate import TracingEstimator

    return TracingEstimator(catalog, compute_capability=hardware.compute_capability if hardware else None)
