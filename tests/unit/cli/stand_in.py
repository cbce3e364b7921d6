"""An estimator that needs no tracing: plausible figures from the size of the model alone."""

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.domain.work import Operation, StepWork
from autopeft.errors import ModelError

PARAMETERS = 3_212_749_824
# method -> reserved bytes and operations, relative to the weights and to LoRA.
_COSTS = {"full": (8.0, 1.5), "dora": (1.8, 1.3), "prompt-tuning": (1.6, 1.2), "lora-all": (1.7, 1.05)}


class StandIn:
    """Satisfies `Estimator`; P-tuning is the one method that it cannot estimate."""

    def __call__(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> MemoryEstimate:
        if method.id == "p-tuning":
            raise ModelError("P-tuning cannot be traced here")
        memory, compute = _COSTS.get(method.id, (1.5, 1.0))
        weights = 2 * PARAMETERS
        flops = round(4 * PARAMETERS * shape.batch_size * shape.max_length * compute)
        peak = round(weights * memory)
        parts = dict.fromkeys(COMPONENTS, 0)
        parts |= {"weights": weights, "activations": peak - weights, "allocator_overhead": peak // 50}
        return MemoryEstimate(
            model=model.name,
            method=method.id,
            hyperparameters=dict(hyperparameters),
            trainable_parameters=PARAMETERS // 1000,
            adapter_parameters=PARAMETERS // 1000,
            total_parameters=PARAMETERS,
            components_bytes=parts,
            peak_bytes=peak,
            reserved_bytes=peak + peak // 50,
            peak_phase="backward",
            step_flops=flops,
            work=StepWork({"forward": {Operation("matmul", "bfloat16", flops * shape.accumulation): 1}}),
            assumptions=("a stand-in",),
        )
