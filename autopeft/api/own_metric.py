"""A metric that a user wrote: given in Python, never named in a file."""

from autopeft.data.own_metrics import OwnMetric, imported_metric, use_own_metric
from autopeft.domain.metrics import METRICS


def metric_name(metric: str | OwnMetric | None) -> str | None:
    """The name by which a run knows a metric; a user's own function is kept for this process.

    Args:
        metric: a name, a function of (true answers, predicted answers), or `"module:function"`.

    Raises:
        UsageError: `"module:function"` names nothing that can be called.
    """
    if metric is None or metric in METRICS:
        return metric if metric is None else str(metric)
    if isinstance(metric, str):
        if ":" not in metric:
            return metric  # refused with the task's own list
        name, function = metric, imported_metric(metric)
    else:
        name, function = f"{metric.__module__}:{getattr(metric, '__qualname__', type(metric).__qualname__)}", metric
    use_own_metric(name, function)
    return name
