"""`estimate`: what one method costs on one model."""

from collections.abc import Mapping

from autopeft.api.request import StepOptions, read_request, tracing_estimator
from autopeft.domain.knobs import Value
from autopeft.domain.memory import DType, MemoryEstimate


def estimate(  # noqa: PLR0913 - the public verb: one keyword for each option of the command
    model: str,
    method: str = "lora",
    *,
    task: str | None = None,
    hyperparameters: Mapping[str, Value | str] | None = None,
    batch_size: int | None = None,
    max_length: int | None = None,
    dtype: DType = "bfloat16",
    gradient_checkpointing: bool = False,
    num_labels: int = 2,
) -> MemoryEstimate:
    """Predict memory and compute of one training step, without weights and without a GPU.

    Args:
        model: hub id, local folder, or a config.json.
        method: id or alias of the method.
        task: task id; by default what suits the architecture.
        hyperparameters: values for the method's knobs, as values or as text; the others start
            where the catalogue says.
        batch_size: sequences in one step; by default the task's.
        max_length: tokens in a sequence; by default the task's.
        dtype: of the base model's weights.
        gradient_checkpointing: whether activations are recomputed.
        num_labels: outputs of a classification head.

    Raises:
        UsageError: an unknown method, task or knob, or a value out of range.
        ModelError: the model cannot be used, or the method does not apply to it.
    """
    from autopeft.catalog.load import load_catalog

    catalog = load_catalog()
    spec = catalog.method(method)
    step = StepOptions(batch_size, max_length, dtype, gradient_checkpointing, num_labels)
    request = read_request(catalog, model, task, step)
    knobs = {knob.name: knob for knob in spec.knobs}
    given = {
        name: knobs[name].parse(value) if isinstance(value, str) and name in knobs else value
        for name, value in (hyperparameters or {}).items()
    }
    complete = spec.complete(given, request.base_parameters)
    return tracing_estimator(catalog)(request.model, request.task, spec, complete, request.shape)
