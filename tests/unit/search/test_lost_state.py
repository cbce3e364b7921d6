"""A trial whose checkpoint was lost is trained again, and pays for it only once."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from autopeft.domain.trials import TrialSpec
from autopeft.execution.protocol import Finished, SliceTask
from autopeft.search.context import SearchContext
from autopeft.search.lost_state import train_again


def test_what_is_made_up_for_takes_nothing_from_the_time_that_a_trial_may_take() -> None:
    submitted: list[SliceTask] = []
    spent: list[Any] = []
    context = SimpleNamespace(
        observer=SimpleNamespace(note=lambda text: None),
        ledger=SimpleNamespace(work=lambda kind, seconds: spent.append((kind, seconds))),
        executor=SimpleNamespace(submit=submitted.append),
        request=SimpleNamespace(trial_seconds=100.0),
    )
    task = SliceTask(TrialSpec(0, "lora", {}, 0), Path("trial"), 40, 80, limit_seconds=3.0)
    train_again(cast(SearchContext, context), Finished(task, None, 0.5, lost="no file"))
    assert submitted == [replace(task, restart=True, limit_seconds=100.0)]
    assert spent == [("wasted", 0.5)]
