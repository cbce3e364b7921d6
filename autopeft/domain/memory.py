"""What a training step looks like, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from autopeft.domain.knobs import Hyperparameters, Value
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec

COMPONENTS = ("weights", "adapter", "gradients", "optimizer", "activations", "logits", "temporaries")
DType = Literal["float32", "bfloat16", "float16"]


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
    """

    batch_size: int = 4
    max_length: int = 512
    target_length: int = 128
    dtype: DType = "bfloat16"
    autocast: DType | None = None
    gradient_checkpointing: bool = False
    num_labels: int = 2


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
        peak_phase: forward, backward or optimizer.
        step_flops: floating point operations of forward and backward.
        seconds_per_step: None where no hardware is named.
        assumptions: what was assumed, one sentence each.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, under the public names of `estimate --format json`."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {
            "hyperparameters": dict(self.hyperparameters),
            "components_bytes": dict(self.components_bytes),
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
