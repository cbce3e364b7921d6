"""Time that is left when confirming ends goes into further seeds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autopeft.domain.trials import SliceResult
from autopeft.errors import InputError
from autopeft.execution.protocol import SliceTask
from autopeft.search.confirm_stage import choose_entries, confirm_stage, confirmed_seeds, finish_seconds, saved_entries
from autopeft.search.context import SearchContext
from autopeft.search.finish import _choose, full_runs
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import read_json, write_json
from autopeft.search.search_stage import search_stage
from tests.stub_search import learn, stub_context

SECONDS_A_STEP = 0.1


class Clock:
    """Moves when a slice runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def learn(self, task: SliceTask) -> SliceResult:
        seconds = SECONDS_A_STEP * (task.to_step - task.from_step)
        self.now += seconds
        return replace(learn(task), train_seconds=seconds, evaluation_seconds=0.0, wall_seconds=seconds)


def confirmed(folder: Path, early: float = 0.5, **asked: Any) -> tuple[SearchContext, list[list[int]]]:
    """A context after search and confirm stage, and the seeds on which each entry was trained to the end."""
    clock = Clock()
    context = stub_context(folder / "run", clock.learn, top=2, **asked)
    ledger = Ledger(folder / "ledger.json", clock=clock, started=0.0, timestamp="now")
    plan = replace(context.plan, step_seconds=SECONDS_A_STEP, evaluation_row_seconds=0.0)
    context = replace(context, ledger=ledger, plan=plan)
    records, _ = search_stage(context)
    entries = choose_entries(context, records)
    clock.now *= early  # as where a search runs out of what it may try
    confirm_stage(context, records, entries)
    return context, [[run.spec.seed for run in full_runs(context, entry)] for entry in entries]


def test_every_entry_is_trained_on_as_many_seeds_as_fit(tmp_path: Path) -> None:
    context, seeds = confirmed(tmp_path, trials=None, budget_seconds=120.0)
    assert len(seeds) == 2
    assert all(own == list(confirmed_seeds(context)) for own in seeds)
    assert len(confirmed_seeds(context)) > len(context.plan.seeds)
    # What is left is less than another seed of both would take, and the end still has its time.
    assert finish_seconds(context) <= context.remaining_seconds
    assert context.remaining_seconds < finish_seconds(context) + 2.5 * len(seeds) * 90 * SECONDS_A_STEP


def test_a_resumed_run_knows_the_seeds_that_were_added(tmp_path: Path) -> None:
    context, seeds = confirmed(tmp_path, trials=None, budget_seconds=120.0)
    again = replace(context)
    assert [list(confirmed_seeds(again))] * 2 == seeds
    records = [folder.record() for folder in again.run.trials()]
    confirm_stage(again, records, choose_entries(again, records))
    assert [list(confirmed_seeds(again))] * 2 == seeds


@pytest.mark.parametrize("asked", [{}, {"budget_seconds": 120.0}])
def test_where_trials_are_counted_the_plan_decides(tmp_path: Path, asked: dict[str, Any]) -> None:
    context, seeds = confirmed(tmp_path, trials=4, **asked)
    assert seeds == [list(context.plan.seeds)] * 2


def test_a_seed_that_only_one_entry_had_time_for_wins_nothing(tmp_path: Path) -> None:
    context, _ = confirmed(tmp_path, trials=None, budget_seconds=120.0)
    entries = choose_entries(context, [folder.record() for folder in context.run.trials()])
    winner = _choose(context, entries)[0].entry
    loser = next(entry for entry in entries if entry != winner)
    saved, seed = read_json(context.run.path / "confirm.json"), confirmed_seeds(context)[-1] + 1
    write_json(context.run.path / "confirm.json", saved | {"further_seeds": [*saved["further_seeds"], seed]})
    folder = loser.folder(context, seed)
    folder.create(loser.spec(seed), loser.role)
    folder.commit(learn(SliceTask(loser.spec(seed), folder.path, 0, context.plan.full_steps)))
    assert len(full_runs(context, loser)) == len(full_runs(context, winner)) + 1
    assert _choose(context, entries)[0].entry == winner


@pytest.mark.parametrize("saved", [{"entries": 3, "further_seeds": ["x"]}, {"entries": [{}], "further_seeds": 7}])
def test_a_damaged_list_of_entries_is_told_in_one_line(tmp_path: Path, saved: dict[str, Any]) -> None:
    context = stub_context(tmp_path / "run")
    write_json(context.run.path / "confirm.json", saved)
    for read in (saved_entries, confirmed_seeds):
        with pytest.raises(InputError, match=r"confirm\.json is damaged"):
            read(context)
