"""From a config and a method to a MemoryEstimate: build shallow, wrap, trace, extrapolate, find the peak."""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.step_checks import refused_method, refused_shape
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.memory.assumptions import assumptions_of
from autopeft.memory.batch import empty_batch, shape_of_first_batch
from autopeft.memory.depth import Stack, layer_kinds, stacks_of, with_depths
from autopeft.memory.full_depth import Traced, at_full_depth
from autopeft.memory.inference import trace_inference
from autopeft.memory.initialisation import trace_initialisation, works_out_values
from autopeft.memory.layer_choice import picks_layers
from autopeft.memory.operations import step_work
from autopeft.memory.operators import Operators
from autopeft.memory.phases import highest, scale_micro_batches
from autopeft.memory.sharding import shared, units_of
from autopeft.memory.stream import EventStream, Peak
from autopeft.memory.structure import wrap_for_trace
from autopeft.memory.trace import trace_steps
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.clone import clone_sharing_weights
from autopeft.modeling.config import transformers_config
from autopeft.modeling.parameters import count_parameters
from autopeft.modeling.positions import check_positions
from autopeft.modeling.precision import train_in_float32
from autopeft.modeling.step import build_optimizer
from autopeft.modeling.wrap import wrap

Device = Literal["cuda", "cpu"]
# More micro-batches have the same peak: from the second on, gradients exist.
_MOST_TRACED_MICRO_BATCHES = 2
_DECIDE_THE_BASE = (
    "dtype",
    "autocast",
    "num_labels",
    "gradient_checkpointing",
    "quantization",
    "upcast",
    "attention",
)


class BaseModels:
    """Built bases by config, so that pricing many methods builds each depth once."""

    def __init__(self) -> None:
        self._built: dict[str, PreTrainedModel] = {}

    def get(self, model: ModelSpec, task: TaskSpec, shape: StepShape) -> PreTrainedModel:
        """The base on the meta device; it may be wrapped any number of times."""
        key = json.dumps(
            [dict(model.config), task.head, task.objective, [getattr(shape, name) for name in _DECIDE_THE_BASE]],
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
        compute_capability: of the GPU, such as (8, 9), where it is known.
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
    compute_capability: tuple[int, int] | None = None
    bases: BaseModels = field(default_factory=BaseModels)

    def traced(self, depths: Mapping[Stack, int] | None = None) -> Traced:
        """Two steps of the model with so many layers (all of them by default), traced whole."""
        model = self.model if depths is None else with_depths(self.model, depths)
        base = self.bases.get(model, self.task, self.shape)
        asked = self.method, self.hyperparameters, self.task, self.architecture
        wrapped = wrap_for_trace(base, *asked, on_cpu=self.device == "cpu")
        check_positions(wrapped, self.method, self.shape)
        if self.shape.dtype == "float16":
            train_in_float32(wrapped)
        counts, units = count_parameters(wrapped), units_of(wrapped)
        optimizer = build_optimizer(wrapped, self.hyperparameters, self.shape.optimizer)
        stream = self._run(wrapped, optimizer)
        return Traced(stream, counts, units, self._infer(wrapped, optimizer))

    def _run(self, wrapped: nn.Module, optimizer: torch.optim.Optimizer) -> EventStream:
        micro_batches = min(self.shape.accumulation, _MOST_TRACED_MICRO_BATCHES)
        with self._refusing("a step"):
            stream = trace_steps(
                wrapped,
                empty_batch(self.task, self.shape),
                optimizer,
                padded=self._masked,
                host_counts=self.device == "cpu",
                operators=self._operators,
                micro_batches=micro_batches,
                first_batch=empty_batch(self.task, shape_of_first_batch(self.shape)) if self.device == "cuda" else None,
            )
        return scale_micro_batches(stream, micro_batches, self.shape.accumulation)

    def initialisation(self) -> EventStream | None:
        """How a method that works out its values starts, where that can be traced: the step's answer stands without."""
        with suppress(ModelError), self._refusing("the initialisation"):
            alone = clone_sharing_weights(self.bases.get(self.model, self.task, self.shape), own_all=True)
            asked = self.method, self.hyperparameters, self.task, self.architecture
            return trace_initialisation(alone, lambda: wrap(alone, *asked, shares_base=False))
        return None

    def _infer(self, wrapped: nn.Module, optimizer: torch.optim.Optimizer) -> EventStream | None:
        """Evaluation and generation, where they are asked for and can be traced: the step's answer stands without."""
        if not self.shape.inference:
            return None
        with suppress(ModelError), self._refusing("evaluation or generation"):
            return trace_inference(
                wrapped,
                empty_batch(self.task, self.shape),
                optimizer,
                self.task.head,
                operators=self._operators,
                padded=self._masked,
                host_counts=self.device == "cpu",
            )
        return None

    @property
    def _operators(self) -> Operators:
        return Operators(self.device, self.shape.autocast_dtype, self.compute_capability)

    @property
    def _masked(self) -> bool:
        return self.padded and self.shape.attention != "flash"

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        try:
            with _quiet():
                yield
        except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError, IndexError) as error:
            raise ModelError(
                f"{what} of {self.method.id} on {self.model.name} cannot be traced: {_first_line(error)}",
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
    refusal = refused_shape(pricing.shape) or refused_method(pricing.method, pricing.shape)
    if refusal is not None:
        raise ModelError(refusal.message, hint=refusal.hint)
    traced, how = trace_at_depth(pricing)
    initialisation = pricing.initialisation() if works_out_values(pricing.method) else None
    streams = [one for one in (traced.stream, traced.inference, initialisation) if one is not None]
    peak, reserved = highest([shared(one, traced.units, pricing.shape) for one in streams], pricing.device)
    if pricing.shape.inference and traced.inference is None:
        how += "; evaluation and generation cannot be traced and are left out"
    if works_out_values(pricing.method) and initialisation is None:
        how += "; what its initial values take to work out cannot be traced and is left out"
    return _estimate(pricing, traced, peak, reserved, how)


def trace_at_depth(pricing: Pricing) -> tuple[Traced, str]:
    """The traced step of the whole model, from shallow traces where its layers repeat, and how it was made."""
    return at_full_depth(pricing.traced, _stacks(pricing))


def _stacks(pricing: Pricing) -> tuple[Stack, ...]:
    method = pricing.method
    chosen = {knob.argument: pricing.hyperparameters.get(knob.name) for knob in method.knobs if knob.argument}
    if picks_layers({**method.settings, **chosen}):
        return ()
    config = transformers_config(pricing.model, pricing.task, pricing.shape.num_labels)
    return stacks_of(pricing.model, layer_kinds(config)) or ()


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
        assumptions=assumptions_of(pricing.shape, device=pricing.device, padded=pricing.padded, how=how),
        phase_peak_bytes=peak.phase_peak_bytes,
        work=step_work(traced.stream.operations),
    )


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
