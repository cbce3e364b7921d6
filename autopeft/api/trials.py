"""How many trials a budget of time buys, before any is run."""

from autopeft.api.request import BAR_TO_BEAT, Request
from autopeft.api.timing import Setting
from autopeft.domain.memory import Estimator
from autopeft.domain.units import parse_duration_seconds
from autopeft.errors import UsageError
from autopeft.recommend.answer import fit_method
from autopeft.recommend.options import Options


def affordable_trials(request: Request, options: Options, setting: Setting, estimator: Estimator, budget: str) -> int:
    """Whole trainings of LoRA that fit into the budget on the named device; at least one.

    Args:
        request: model, task and step.
        options: memory budget and the like.
        setting: the device, and how much a training is.
        estimator: predicts a step.
        budget: of time, like `2h`.

    Raises:
        UsageError: no duration, no device, or nobody knows how long a training is.
    """
    seconds = parse_duration_seconds(budget)
    hint = "name --gpu and --rows (or --dataset), or say --trials instead"
    if setting.hardware is None:
        raise UsageError("--budget cannot be turned into trials without a device", hint=hint)
    method = request.catalog.method(BAR_TO_BEAT)
    step = fit_method(request.model, request.task, method, request.base_parameters, setting.timed(estimator), options)
    hours = step.estimate.training_hours
    if hours is None:
        raise UsageError("--budget cannot be turned into trials without the length of a training", hint=hint)
    return max(1, int(seconds / (hours * 3600)))
