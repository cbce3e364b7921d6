"""What the asker wants and has, beside the model and the task."""

from dataclasses import dataclass, field

from autopeft.domain.memory import StepShape
from autopeft.recommend.objective import PRESETS, Objective, Priority, Weights

# What a process takes on the device beside the allocator's memory: the CUDA context and the loaded kernels.
# A report for a PyTorch process with next to no tensors shows 781 MB in nvidia-smi (pytorch/pytorch, issue
# 34323); it differs between devices and versions, so this is an allowance and no measurement of the device.
DEVICE_CONTEXT_BYTES = 781 * 10**6


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the training data tells; None where nobody looked.

    Attributes:
        minority_share: rows of the rarest class over all rows.
        length_p50: tokens that half of the texts stay within.
        length_p95: tokens that 95 % of the texts stay within.
        length_max: tokens of the longest text.
        label_noise: share of the rows whose text also stands with another label.
    """

    minority_share: float | None = None
    length_p50: int | None = None
    length_p95: int | None = None
    length_max: int | None = None
    label_noise: float | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What the rules and the ranking are told.

    Attributes:
        shape: of one training step; under a budget a method may run it in smaller micro-batches.
        budget_bytes: memory that training may use on the device, or None when it does not matter.
        context_bytes: taken from the budget before any tensor exists.
        training_rows: labelled examples, or None when unknown.
        epochs: passes over them; three is the length of the survey's own runs on SuperGLUE
            (Guitaricet/peft_comparison, run_grid_search.py).
        max_steps: optimizer steps of a full run, or None when unknown.
        trials: configurations that will be tried; 1 is the starting values only.
        no_inference_overhead: whether the result must run as fast as the base model.
        priority: what matters most, or None for a balance.
        mergeable: whether the adapter has to merge into the weights.
        adapters_to_serve: adapters that are served, or stored, over the same base model.
        max_adapter_bytes: what the saved adapter may take, or None.
        max_latency_overhead: how much longer inference may take, as a share of the base model's time, or None.
        data: what is known of the training texts.
        weights: of the score, or None for those of `priority`.
        quantized_base_ok: whether the method has to train on a quantised base.
        may_quantize: whether a method that does not fit is tried on a base of 4 bits.
        learning_rate: the only one that will be tried, or None for each method's own.
    """

    shape: StepShape = field(default_factory=StepShape)
    budget_bytes: int | None = None
    context_bytes: int = DEVICE_CONTEXT_BYTES
    training_rows: int | None = None
    epochs: float = 3
    max_steps: int | None = None
    trials: int = 1
    no_inference_overhead: bool = False
    priority: Priority | None = None
    mergeable: bool = False
    adapters_to_serve: int = 1
    max_adapter_bytes: int | None = None
    max_latency_overhead: float | None = None
    data: DataFacts = field(default_factory=DataFacts)
    weights: Weights | None = None
    quantized_base_ok: bool = False
    may_quantize: bool = False
    learning_rate: float | None = None

    @property
    def objective(self) -> Objective:
        """The weights of the score, and what they put first."""
        return Objective(self.weights or PRESETS[self.priority], self.priority)
