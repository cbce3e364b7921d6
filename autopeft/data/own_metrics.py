"""Metrics that users wrote: found by `module:function`, and known to this process under that name."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from autopeft.errors import UsageError

OwnMetric = Callable[[Sequence[Any], Sequence[Any]], float]

_KNOWN: dict[str, OwnMetric] = {}


def use_own_metric(name: str, function: OwnMetric) -> None:
    """Let `name` stand for a user's own function of (true answers, predicted answers), in this process."""
    _KNOWN[name] = function


def own_metric(name: str) -> OwnMetric:
    """The function of that name.

    Raises:
        UsageError: this process was given none.
    """
    if name not in _KNOWN:
        raise UsageError(
            f"the metric {name} was given in Python, and this process does not have it",
            hint="a name in a file never runs code: resume in Python with the function",
        )
    return _KNOWN[name]


def imported_metric(name: str) -> OwnMetric:
    """The function that `module:function` names; its module is imported, which runs the user's code.

    Raises:
        UsageError: it names nothing that can be called.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # importing runs the user's code, which may raise anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"there is no metric {name}: {reason}", hint="name it as module:function") from error
    if not callable(function):
        raise UsageError(f"{name} is a {type(function).__name__}, not a function", hint="name a function")
    found: OwnMetric = function
    return found


def require_importable(name: str) -> None:
    """See that another process can import a metric that this one was given.

    Raises:
        UsageError: it was given none, or the name leads to something else: a lambda, a function within a function, or
            one of the script itself.
    """
    function = own_metric(name)
    try:
        same = not name.startswith("__main__:") and imported_metric(name) is function
    except UsageError:
        same = False
    if not same:
        raise UsageError(
            f"worker processes cannot import the metric {name}",
            hint="define it at the top of a module of its own, or use workers=0",
        )
