"""From a config and a method to a MemoryEstimate: build shallow, wrap, trace, extrapolate, find the peak."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.memory.allocator import replay
from autopeft.memory.batch import empty_batch
from autopeft.memory.depth import layers_of, with_layers
from autopeft.memory.extrapolate import repeat_layers
from autopeft.memory.operators import Operators
from autopeft.memory.stream import EventStream, Peak, find_peak, rounded_to_512
from autopeft.memory.trace import trace_steps
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.config import transformers_config
from autopeft.modeling.parameters import ParameterCounts, count_parameters
from autopeft.modeling.step import build_optimizer
from autopeft.modeling.wrap import wrap

Device = Literal["cuda", "cpu"]
# Models of at most so many layers are traced whole: shallow traces would cost as much.
_FEW_LAYERS = 5


@dataclass(frozen=True, slots=True)
class Traced:
    """A traced step and how many parameters the wrapped model has."""

    stream: EventStream
    counts: ParameterCounts


class BaseModels:
    """Built bases by config, so that pricing many methods builds each depth once."""

    def __init__(self) -> None:
        self._built: dict[str, PreTrainedModel] = {}

    def get(self, model: ModelSpec, task: TaskSpec, shape: StepShape) -> PreTrainedModel:
        """The base on the meta device; it may be wrapped any number of times."""
        key = json.dumps(
            [dict(model.config), task.head, shape.dtype, shape.num_labels, shape.gradient_checkpointing],
            sort_keys=True,
            default=str,
        )
        if key not in self._built:
            self._built[key] = build_on_meta(model, task, shape)
        return self._built[key]


@dataclass(frozen=True, slots=True)
class Pricing:
    """Everything that decides what a step costs, but the depth.

    Attributes:
        model: the base.
        task: decides head and batch.
        method: of the catalogue.
        hyperparameters: all knobs.
        shape: of the step.
        architecture: module names of the base.
        device: `cuda` predicts what a GPU runs and its allocator; `cpu` the bytes of tensors on a CPU.
        padded: whether the batch holds padding, so that attention runs with a mask.
        bases: built models, shared between calls.
    """

    model: ModelSpec
    task: TaskSpec
    method: MethodSpec
    hyperparameters: Hyperparameters
    shape: StepShape
    architecture: ArchitectureSpec
    device: Device = "cuda"
    padded: bool = False
    bases: BaseModels = field(default_factory=BaseModels)

    def traced(self, layers: int | None = None) -> Traced:
        """Two steps of the model with `layers` layers (all of them by default), traced whole."""
        model = self.model if layers is None else with_layers(self.model, layers)
        base = self.bases.get(model, self.task, self.shape)
        wrapped = wrap(base, self.method, self.hyperparameters, self.task, self.architecture)
        return Traced(self._run(wrapped), count_parameters(wrapped))

    def _run(self, wrapped: nn.Module) -> EventStream:
        optimizer = build_optimizer(wrapped, self.hyperparameters)
        batch = empty_batch(self.task, self.shape)
        try:
            with _quiet():
                return trace_steps(
                    wrapped,
                    batch,
                    optimizer,
                    padded=self.padded,
                    host_counts=self.device == "cpu",
                    operators=Operators(self.device, self.shape.autocast),
                )
        except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError, IndexError) as error:
            raise ModelError(
                f"a step of {self.method.id} on {self.model.name} cannot be traced: {_first_line(error)}",
                hint="its memory is unknown; measure it with a short run",
            ) from error


def trace_estimate(
    model: ModelSpec,
    task: TaskSpec,
    method: MethodSpec,
    hyperparameters: Hyperparameters,
    shape: StepShape,
    architecture: ArchitectureSpec,
    *,
    device: Device = "cuda",
    padded: bool = False,
) -> MemoryEstimate:
    """Predict the memory of a training step from the model's config.

    Args:
        model: only its config is used.
        task: decides head and batch.
        method: of the catalogue.
        hyperparameters: all knobs of the method.
        shape: of the step.
        architecture: module names of the base.
        device: `cuda` predicts what a GPU runs and its allocator; `cpu` the bytes of tensors on a CPU.
        padded: whether the batch holds padding, so that attention runs with a mask.

    Raises:
        ModelError: the model cannot be built, the method does not apply to it, or a step cannot be traced.
    """
    return price(Pricing(model, task, method, hyperparameters, shape, architecture, device, padded))


def price(pricing: Pricing) -> MemoryEstimate:
    """The estimate of a pricing; pricings that share `bases` build each base once.

    Raises:
        ModelError: as for `trace_estimate`.
    """
    traced, how = trace_at_depth(pricing)
    rounded: Callable[[int], int] = rounded_to_512 if pricing.device == "cuda" else int
    peak = find_peak(traced.stream, rounded)
    reserved = replay(traced.stream) if pricing.device == "cuda" else peak.peak_bytes
    return _estimate(pricing, traced, peak, reserved, how)


def trace_at_depth(pricing: Pricing) -> tuple[Traced, str]:
    """The traced step of the whole model, from shallow traces where its layers are equal, and how it was made."""
    layers = _equal_layers(pricing)
    if layers is None or layers <= _FEW_LAYERS:
        return pricing.traced(), "traced at full depth"
    counts: dict[int, ParameterCounts] = {}

    def trace(depth: int) -> EventStream:
        traced = pricing.traced(depth)
        counts[depth] = traced.counts
        return traced.stream

    found = repeat_layers(trace, layers)
    if found is None:
        return pricing.traced(), "traced at full depth"
    stream, depth = found
    grown = _counts_at(counts[depth - 1], counts[depth], layers - depth)
    return Traced(stream, grown), f"traced with {depth - 1} and {depth} layers, repeated to {layers}"


def _equal_layers(pricing: Pricing) -> int | None:
    config = transformers_config(pricing.model, pricing.task, pricing.shape.num_labels)
    return layers_of(pricing.model, getattr(config, "layer_types", None))


def _counts_at(shallow: ParameterCounts, deeper: ParameterCounts, extra: int) -> ParameterCounts:
    grown = {
        name: getattr(deeper, name) + extra * (getattr(deeper, name) - getattr(shallow, name))
        for name in ("trainable", "adapter", "total")
    }
    return replace(deeper, **grown)


def _estimate(pricing: Pricing, traced: Traced, peak: Peak, reserved_bytes: int, how: str) -> MemoryEstimate:
    components: dict[str, Any] = dict(peak.components_bytes)
    return MemoryEstimate(
        model=pricing.model.name,
        method=pricing.method.id,
        hyperparameters=dict(pricing.hyperparameters),
        trainable_parameters=traced.counts.trainable,
        adapter_parameters=traced.counts.adapter,
        total_parameters=traced.counts.total,
        components_bytes=components | {"allocator_overhead": reserved_bytes - peak.peak_bytes},
        peak_bytes=peak.peak_bytes,
        reserved_bytes=reserved_bytes,
        peak_phase=peak.phase,
        step_flops=traced.stream.step_flops,
        assumptions=_assumptions(pricing, how),
    )


def _assumptions(pricing: Pricing, how: str) -> tuple[str, ...]:
    shape = pricing.shape
    mask = "padded, so attention runs with a mask" if pricing.padded else "none of them padded"
    given = [
        f"one step of {shape.batch_size} sequences of {shape.max_length} tokens, {mask}",
        f"weights in {shape.dtype}, AdamW in its foreach form, two steps {how}",
    ]
    if pricing.device == "cuda":
        given.append("fused attention and dropout as CUDA runs them; without the CUDA context and library workspaces")
        given.append("reserved memory: the steady step starts from an emptied cache, default allocator settings")
    else:
        given.append("bytes of tensors on a CPU, without its allocator")
    return tuple(given)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what transformers says about a step that trains nothing real."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
