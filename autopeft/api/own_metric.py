"""A metric that a user wrote: given in Python, never named in a file."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from autopeft.domain.metrics import METRICS
from autopeft.errors import UsageError

OwnMetric = Callable[[Sequence[Any], Sequence[Any]], float]


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
        name, function = metric, _imported(metric)
    else:
        name, function = f"{metric.__module__}:{getattr(metric, '__qualname__', type(metric).__qualname__)}", metric
    from autopeft.data.metrics import use_own_metric

    use_own_metric(name, function)
    return name


def _imported(name: str) -> OwnMetric:
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"there is no metric {name}: {error}", hint="name it as module:function") from error
    if not callable(function):
        raise UsageError(f"{name} is a {type(function).__name__}, not a function", hint="name a function")
    found: OwnMetric = function
    return found
