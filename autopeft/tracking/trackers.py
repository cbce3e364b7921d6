"""The trackers by name: those that there are, whether their packages are here, and opening them."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from autopeft.domain.callbacks import Callback
from autopeft.errors import MissingDependencyError, UsageError
from autopeft.tracking.background import Background

_BACKENDS = "autopeft.tracking.backends"


def tracker_names() -> tuple[str, ...]:
    """Of the trackers that there are: each module of `backends/` is one."""
    return tuple(sorted(module.name for module in iter_modules([str(Path(__file__).parent / "backends")])))


def require_tracker(name: str) -> None:
    """See that a tracker can be used.

    Raises:
        UsageError: there is none of that name.
        MissingDependencyError: one of its packages is not installed.
    """
    if name not in tracker_names():
        raise UsageError(f"there is no tracker {name!r}", hint=f"use one of {', '.join(tracker_names())}")
    missing = [package for package in _backend(name).PACKAGES if find_spec(package) is None]
    if missing:
        raise MissingDependencyError(f"{' and '.join(missing)} not installed", hint=f"pip install 'autopeft[{name}]'")


def open_trackers(
    names: Sequence[str],
    run: Path,
    note: Callable[[str], None],
    *,
    left_seconds: Callable[[], float] = lambda: math.inf,
) -> list[Background]:
    """Trackers of a run, each working in the background.

    Args:
        names: of trackers.
        run: the run directory, where a tracker keeps what it needs to go on after a resume.
        note: takes a line of commentary.
        left_seconds: of the search's budget, asked in the end.
    """
    return [Background(name, partial(_opened, name, run), note, left_seconds=left_seconds) for name in names]


def _opened(name: str, run: Path, note: Callable[[str], None]) -> Callback:
    tracker: Callback = _backend(name).opened(run, note)
    return tracker


def _backend(name: str) -> Any:
    return import_module(f"{_BACKENDS}.{name}")
