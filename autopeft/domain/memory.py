"""What a training step looks like, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from autopeft.domain.knobs import Hyperparameters, Value
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec, Quantization
from autopeft.domain.tasks import TaskSpec
from autopeft.domain.work import StepWork

COMPONENTS = ("weights", "adapter", "gradients", "optimizer", "activations", "logits", "temporaries")
DType = Literal["float32", "bfloat16", "float16"]
Upcast = Literal["none", "norms", "all"]
Attention = Literal["sdpa", "eager", "flash"]
Sharding = Literal["ddp", "fsdp"]
OptimizerName = Literal[
    "adamw",
    "adamw-fused",
    "adamw-for-loop",
    "adamw-8bit",
    "paged-adamw-8bit",
    "paged-adamw-32bit",
    "adafactor",
    "sgd",
]


@dataclass(frozen=True, slots=True)
class StepShape:
    """The shape of one training step.

    Attributes:
        batch_size: sequences in one forward pass.
        max_length: tokens in a sequence (the source side of an encoder-decoder).
        target_length: tokens on the decoder side of an encoder-decoder; ignored elsewhere.
        dtype: of the base model's weights.
        autocast: the dtype that matrix products run in, or None for the weights' own.
        gradient_checkpointing: whether activations are recomputed.
        num_labels: outputs of a classification head.
        quantization: of the frozen base in bitsandbytes' layouts: `nf4`, `nf4-double` (its statistics quantised
            again), `int8`, or None for weights in `dtype`.
        upcast: what stays unquantised and goes to float32 before training: nothing, the norms (as trl does) or
            all of it (as peft's `prepare_model_for_kbit_training` does). Means nothing without `quantization`.
        optimizer: `adamw` is torch's foreach form, its default on a GPU; those with 8bit or paged are bitsandbytes'.
        accumulation: micro-batches of `batch_size` in one optimizer step.
        attention: `sdpa` picks the kernel as torch does, `eager` keeps the scores, `flash` never makes a mask.
        gpus: devices that train together.
        sharding: `ddp` repeats the model on each device, `fsdp` shards it; means nothing with one device.
        inference: whether evaluation and generation count as phases too.
    """

    batch_size: int = 4
    max_length: int = 512
    target_length: int = 128
    dtype: DType = "bfloat16"
    autocast: DType | None = None
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

    @property
    def matrix_dtype(self) -> DType:
        """What matrix products run in; float16 weights are trained under autocast, as accelerate does."""
        return self.autocast or self.dtype

    @property
    def least_bytes_per_parameter(self) -> float:
        """What a weight of the base takes at least on one device, without statistics and what stays unquantised."""
        dtype_bytes = 4.0 if self.dtype == "float32" else 2.0
        stored = {"nf4": 0.5, "nf4-double": 0.5, "int8": 1.0}.get(self.quantization or "", dtype_bytes)
        return stored / self.gpus if self.sharding == "fsdp" else stored

    @property
    def autocast_dtype(self) -> DType | None:
        """The dtype of autocast: as asked for, and always for float16, whose gradients need a loss scale."""
        return self.autocast or ("float16" if self.dtype == "float16" else None)


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """The predicted cost of one training step.

    Attributes:
        model: name of the base model.
        method: id of the method.
        hyperparameters: all knobs.
        trainable_parameters: with the task head.
        adapter_parameters: without the task head.
        total_parameters: of base, head and adapter.
        components_bytes: what lives at the peak, by kind (`COMPONENTS`), and `allocator_overhead`; the
            former sum to `peak_bytes`, with the latter to `reserved_bytes`.
        peak_bytes: predicts `torch.cuda.max_memory_allocated()`.
        reserved_bytes: predicts `torch.cuda.max_memory_reserved()`.
        peak_phase: in which the peak is reached; a key of `phase_peak_bytes`.
        step_flops: floating point operations of forward and backward.
        seconds_per_step: of one optimizer step with all its micro-batches; None where no hardware is named.
        assumptions: what was assumed, one sentence each.
        phase_peak_bytes: the highest point within load, forward, backward and optimizer, within evaluation and
            generation where the shape asks for them, and within initialisation where starting values are worked out;
            the greatest is `peak_bytes`.
        tokens_per_second: of the model's input, padding included; None where no hardware is named.
        training_hours: for the stated training set; None where hardware or training set is unknown.
        training_cost: of these hours, in the currency of the price; None where one of them is unknown.
        measured_peak_bytes: of a real step on the device at hand, where a probe was asked for.
        work: what a step computes and moves, from which any device can be priced; not shown to users.
    """

    model: str
    method: str
    hyperparameters: Mapping[str, Value]
    trainable_parameters: int
    adapter_parameters: int
    total_parameters: int
    components_bytes: Mapping[str, int]
    peak_bytes: int
    reserved_bytes: int
    peak_phase: str
    step_flops: int
    seconds_per_step: float | None = None
    assumptions: tuple[str, ...] = field(default=())
    phase_peak_bytes: Mapping[str, int] = field(default_factory=dict)
    tokens_per_second: float | None = None
    training_hours: float | None = None
    training_cost: float | None = None
    measured_peak_bytes: int | None = None
    work: StepWork | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, under the public names of `estimate --format json`."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "work"}
        return plain | {
            "hyperparameters": dict(self.hyperparameters),
            "components_bytes": dict(self.components_bytes),
            "phase_peak_bytes": dict(self.phase_peak_bytes),
            "assumptions": list(self.assumptions),
        }


class Estimator(Protocol):
    """Predicts the cost of a training step; `recommend` is handed one and stays free of torch."""

    def __call__(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> MemoryEstimate:
        """The estimate.

        Raises:
            ModelError: the model cannot be built or the method does not apply to it.
        """
        ...
