"""Where nothing fits: the largest well-known base model of the same kind that would."""

from autopeft.api.request import BAR_TO_BEAT, Request, StepOptions, read_request
from autopeft.domain.memory import Estimator
from autopeft.domain.rules import Reason
from autopeft.domain.units import format_bytes, format_count
from autopeft.errors import InputError
from autopeft.recommend.answer import fit_method
from autopeft.recommend.fit import describe_batch, needed_bytes
from autopeft.recommend.options import Options

# Each is traced; a model whose weights alone are above the budget is passed over without.
_MOST_TRACED = 4
_TRACED = "predicted by tracing one training step"


def smaller_model(request: Request, options: Options, estimator: Estimator, step: StepOptions) -> tuple[Reason, ...]:
    """Advice to take a smaller base model, with the first that LoRA fits on; empty where none does.

    Args:
        request: on whose model nothing fits.
        options: with the budget.
        estimator: predicts a step.
        step: as it was asked for.
    """
    for name in _smaller_ones(request, options)[:_MOST_TRACED]:
        try:
            other = read_request(request.catalog, name, request.task.id, step)
            method = other.catalog.method(BAR_TO_BEAT)
            fitted = fit_method(other.model, other.task, method, other.base_parameters, estimator, options)
        except InputError:
            continue
        if fitted.fits:
            needs = format_bytes(needed_bytes(fitted.estimate, options))
            base = ", the base in 4 bits" if fitted.shape.quantization else ""
            text = (
                f"Use a smaller base model: {name} ({format_count(other.base_parameters)}) fits with {method.title}, "
                f"which needs {needs} at {describe_batch(fitted.shape)}{base}."
            )
            return (Reason("memory", text, _TRACED),)
    return ()


def _smaller_ones(request: Request, options: Options) -> list[str]:
    """Well-known models of the same type with fewer parameters, the largest first, whose weights fit."""
    catalog = request.catalog
    least = 0.5 if options.may_quantize else options.shape.least_bytes_per_parameter
    room = (options.budget_bytes or 0) - options.context_bytes
    sizes = {
        name: catalog.model_parameters[name]
        for name, model in catalog.models.items()
        if model.model_type == request.model.model_type and catalog.model_parameters[name] < request.base_parameters
    }
    return sorted((name for name, size in sizes.items() if size * least <= room), key=lambda name: -sizes[name])
