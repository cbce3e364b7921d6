"""What is known about a request, in the words of the fact vocabulary."""

from typing import Final

from autopeft.domain.facts import FactValue
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.recommend.options import Options

# The survey's whole search was three learning rates (Guitaricet/peft_comparison, run_grid_search.py).
FEW_TRIALS: Final = 3


def gather_facts(
    model: ModelSpec, task: TaskSpec, architecture: ArchitectureSpec, base_parameters: int, options: Options
) -> dict[str, FactValue]:
    """Every fact of the vocabulary; None where it is not known."""
    weight_bytes = int(base_parameters * options.shape.least_bytes_per_parameter)
    budget = options.budget_bytes
    return {
        "model_parameters": base_parameters,
        "model_type": model.model_type,
        "architecture_kind": architecture.kind,
        "has_biases": architecture.has_biases,
        "task": task.id,
        "training_rows": options.training_rows,
        "epochs": options.epochs,
        "max_steps": options.max_steps,
        "trials": options.trials,
        "few_trials": options.trials <= FEW_TRIALS,
        "batch_size": options.shape.batch_size * options.shape.accumulation,
        "micro_batch_size": options.shape.batch_size,
        "max_length": options.shape.max_length,
        "gradient_checkpointing": options.shape.gradient_checkpointing,
        "budget_bytes": budget,
        "context_bytes": options.context_bytes,
        "weight_bytes": weight_bytes,
        "memory_ratio": None if budget is None else budget / weight_bytes,
        "no_inference_overhead": options.no_inference_overhead,
        "priority": options.priority,
    }
