"""What is known about a request, in the words of the fact vocabulary."""

from dataclasses import asdict
from typing import Final

from autopeft.domain.context import longest_input
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
    return {
        "model_parameters": base_parameters,
        "model_type": model.model_type,
        "architecture_kind": architecture.kind,
        "has_biases": architecture.has_biases,
        "context_tokens": longest_input(model, architecture.kind),
        "task": task.known_as,
        "task_type": task.objective,
        "generates": task.writes,
        "training_rows": options.training_rows,
        "epochs": options.epochs,
        "max_steps": options.max_steps,
        **asdict(options.data),
        "trials": options.trials,
        "few_trials": options.trials <= FEW_TRIALS,
        **_step_facts(options),
        **_memory_facts(base_parameters, options),
        "no_inference_overhead": options.no_inference_overhead,
        "mergeable": options.mergeable,
        "adapters_to_serve": options.adapters_to_serve,
        "max_adapter_bytes": options.max_adapter_bytes,
        "max_latency_overhead": options.max_latency_overhead,
        "priority": options.priority,
    }


def _step_facts(options: Options) -> dict[str, FactValue]:
    shape = options.shape
    return {
        "batch_size": shape.batch_size * shape.accumulation,
        "micro_batch_size": shape.batch_size,
        "max_length": shape.max_length,
        "gradient_checkpointing": shape.gradient_checkpointing,
        "quantized_base": shape.quantization is not None,
        "gpus": shape.gpus,
        "sharded": shape.gpus > 1 and shape.sharding == "fsdp",
    }


def _memory_facts(base_parameters: int, options: Options) -> dict[str, FactValue]:
    weight_bytes = int(base_parameters * options.shape.least_bytes_per_parameter)
    budget = options.budget_bytes
    return {
        "budget_bytes": budget,
        "context_bytes": options.context_bytes,
        "weight_bytes": weight_bytes,
        "memory_ratio": None if budget is None or not weight_bytes else budget / weight_bytes,
    }
