"""A metric that a user wrote, and whether worker processes can have it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from autopeft.api.own_metric import metric_name
from autopeft.data.metrics import score
from autopeft.data.own_metrics import imported_metric, require_importable, use_own_metric
from autopeft.errors import UsageError


def share_of_ones(labels: Sequence[Any], predictions: Sequence[Any]) -> float:
    """A function of this module."""
    return float(sum(answer == 1 for answer in predictions) / len(labels))


def test_a_function_of_a_module_is_had_by_any_process() -> None:
    name = metric_name(share_of_ones)
    assert name == f"{__name__}:share_of_ones"
    require_importable(name)
    assert imported_metric(name) is share_of_ones
    assert score(name, [0, 0], [1, 0]) == 0.5


def test_what_cannot_be_imported_is_refused_before_a_process_starts() -> None:
    def within(labels: Sequence[Any], predictions: Sequence[Any]) -> float:
        return 0.0

    for function in (within, lambda labels, predictions: 0.0):
        name = metric_name(function)
        assert name is not None
        with pytest.raises(UsageError, match="cannot import"):
            require_importable(name)
    use_own_metric("__main__:mine", share_of_ones)
    with pytest.raises(UsageError, match="cannot import"):
        require_importable("__main__:mine")


@pytest.mark.parametrize("name", ["json:nothing", "no.such.module:f", ":f", "json:__name__"])
def test_a_name_that_leads_nowhere_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError):
        imported_metric(name)


def test_a_module_that_cannot_be_imported_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_metric_module.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="there is no metric broken_metric_module:f"):
        imported_metric("broken_metric_module:f")


def test_a_name_alone_runs_nothing() -> None:
    with pytest.raises(UsageError, match="was given in Python"):
        score("antigravity:geohash", [0], [0])
