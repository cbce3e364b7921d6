"""Results as a search writes them: whole, barely begun, and full of text that attacks a page."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FULL = Path(__file__).parents[2] / "golden" / "report.result.json"
ATTACK = "<script>alert(1)</script></script><img src=x onerror=alert(2)> | `x` [a](javascript:alert(3)) \"'&"


@pytest.fixture
def full() -> dict[str, Any]:
    """A finished search of 14 trials, two of which failed, with controls and baselines."""
    return json.loads(FULL.read_text(encoding="utf-8"))


@pytest.fixture
def unpaired(full: dict[str, Any]) -> dict[str, Any]:
    """The full result without comparisons row by row, as older runs have it."""
    for entry in (full["best"], *full["confirmed"], *full["baselines"]):
        entry.pop("winner_lead")
    return full


@pytest.fixture
def begun() -> dict[str, Any]:
    """What stands on disk when the first trial has just started."""
    keys = ("asked", "data", "metric", "budget", "seeds", "environment")
    started = {"number": 0, "state": "running", "method": "lora", "title": "LoRA", "rungs": [], "curve": []}
    empty = {"schema_version": 1, "status": "running", "verdict": [], "best": None, "confirmed": [], "baselines": []}
    return empty | {key: {} for key in keys} | {"trials": [started], "excluded": []}


@pytest.fixture
def hostile(full: dict[str, Any]) -> dict[str, Any]:
    """Every text of the full result replaced by an attack, names of labels and hyperparameters too."""
    return _poisoned(copy.deepcopy(full), kept=("status", "role", "state"))


@pytest.fixture
def without(full: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """The full result with one value replaced by None: `without("best.load")`, `without("trials.*.rungs")`."""

    def remove(path: str) -> dict[str, Any]:
        changed = copy.deepcopy(full)
        _clear(changed, path.split("."))
        return changed

    return remove


def _clear(value: Any, path: list[str]) -> None:
    if path[0] == "*":
        for item in value:
            _clear(item, path[1:])
    elif len(path) == 1:
        value[path[0]] = None
    else:
        _clear(value[path[0]], path[1:])


def _poisoned(value: Any, kept: tuple[str, ...], key: str = "") -> Any:
    if isinstance(value, dict):
        named = key in ("labels", "hyperparameters", "environment", "evaluation", "ledger", "seeds")
        return {(f"{ATTACK}{k}" if named else k): _poisoned(v, kept, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_poisoned(item, kept, key) for item in value]
    return ATTACK if isinstance(value, str) and key not in kept else value
