"""The search stage over made-up slices: budgets, limits, failures, and what a resumed session does."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest

from autopeft.api.conduct import ENGINES
from autopeft.cli import conduct_options
from autopeft.cli.search import search
from autopeft.domain.callbacks import SliceEnded
from autopeft.domain.progress import Calls, Progress
from autopeft.domain.trials import SliceResult, TrialRecord
from autopeft.errors import RunError
from autopeft.execution.protocol import SliceTask
from autopeft.search.accounts import accounts
from autopeft.search.callbacks import Callbacks
from autopeft.search.confirm_stage import choose_entries
from autopeft.search.context import SearchContext
from autopeft.search.forecast import forecast
from autopeft.search.objectives import front_numbers
from autopeft.search.pareto import pareto
from autopeft.search.sampler import SAMPLERS
from autopeft.search.schedulers import SCHEDULERS
from autopeft.search.search_stage import FAILURES_UNTIL_HOPELESS, search_stage
from autopeft.tracking.trackers import tracker_names
from autopeft.training.checkpoint import checkpoint_path
from tests.stub_search import PLAN, learn, stub_context


def trials_of(context: SearchContext) -> list[TrialRecord]:
    records, peers = search_stage(context)
    assert peers == []
    assert [record.spec.number for record in records] == list(range(len(records)))
    return records


def nothing_is_finite(task: SliceTask) -> SliceResult:
    return SliceResult.failed(task.from_step, "DivergedError: the loss is nan", wall_seconds=0.1)


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_every_scheduler_tries_all_trials_and_trains_the_best_to_the_end(scheduler: str, tmp_path: Path) -> None:
    records = trials_of(stub_context(tmp_path / "run", scheduler=scheduler, trials=12))
    assert len(records) == 12
    full = [record for record in records if record.steps_done == 90]
    assert full
    assert len(full) < 12
    assert min(records, key=lambda record: record.slices[0].validation_loss or math.inf).steps_done > 10


def test_the_command_line_offers_what_there_is() -> None:
    assert sorted(conduct_options.SCHEDULERS) == sorted(SCHEDULERS)
    assert conduct_options.SAMPLERS == SAMPLERS
    assert conduct_options.ENGINES == ENGINES
    [track] = [option for option in search.params if option.name == "track"]
    assert isinstance(track, click.Option) and all(name in (track.help or "") for name in tracker_names())


def test_the_search_stops_early_where_nothing_can_be_learned(tmp_path: Path) -> None:
    context = stub_context(tmp_path / "run", nothing_is_finite, trials=140)
    with pytest.raises(RunError, match=f"each of the {FAILURES_UNTIL_HOPELESS} trials so far failed.*nan") as refusal:
        search_stage(context)
    assert refusal.value.exit_code == 6
    assert len(context.run.trials()) == FAILURES_UNTIL_HOPELESS


def test_a_token_budget_ends_the_search_and_leaves_the_confirm_stage_its_share(tmp_path: Path) -> None:
    context = stub_context(tmp_path / "run", trials=None, tokens=10_000, top=1, confirm_seeds=1)
    context = replace(context, plan=replace(PLAN, step_tokens=10.0))
    records = trials_of(context)
    steps = sum(record.steps_done for record in records)
    assert len(records) > 3
    assert steps * 10 <= 10_000
    (top,) = choose_entries(context, records)
    assert top.trial is not None
    left = 10_000 - steps * 10
    assert left >= (90 - records[top.trial].steps_done) * 10


def test_a_trial_has_only_the_time_that_it_may_take(tmp_path: Path) -> None:
    limits: dict[int, list[float | None]] = {}

    def slow(task: SliceTask) -> SliceResult:
        limits.setdefault(task.spec.number, []).append(task.limit_seconds)
        return replace(learn(task), wall_seconds=4.0)

    records = trials_of(stub_context(tmp_path / "run", slow, trial_seconds=10.0))
    furthest = max(records, key=lambda record: record.steps_done)
    assert limits[furthest.spec.number] == [10.0, 6.0, 2.0]


def with_checkpoints(size: int) -> Callable[[SliceTask], SliceResult]:
    """Slices that leave a checkpoint of `size` bytes, as training does."""

    def run_slice(task: SliceTask) -> SliceResult:
        path = checkpoint_path(task.folder / "checkpoint", task.to_step)
        path.write_bytes(b"0" * size)
        return learn(task)

    return run_slice


def test_under_a_limit_of_disk_the_worst_paused_trials_give_up_their_state(tmp_path: Path) -> None:
    size, limit = 200_000, 1_200_000
    seen: list[int] = []

    def watched(task: SliceTask) -> SliceResult:
        result = with_checkpoints(size)(task)
        seen.append(sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()))
        return result

    context = stub_context(tmp_path / "run", watched, trials=14, disk_bytes=limit)
    records = trials_of(context)
    assert len(records) == 14
    assert max(seen) <= limit
    stopped = [record for record in records if record.state == "stopped"]
    assert stopped
    assert min(stopped, key=lambda r: r.loss).loss > min(records, key=lambda r: r.loss).loss
    assert [r.state for r in records] == [folder.record().state for folder in context.run.trials()]
    assert not {entry.trial for entry in choose_entries(context, records)} & {r.spec.number for r in stopped}


def test_what_the_workers_did_adds_up_to_their_time(tmp_path: Path) -> None:
    context = stub_context(tmp_path / "run", price_per_hour=3.6)
    trials_of(context)
    books = accounts(context)
    assert sum(books["work"].values()) == pytest.approx(books["worker_seconds"])
    assert sum(books["ledger"].values()) == pytest.approx(books["spent_seconds"])
    assert books["proposed_trials"] == 12
    assert books["money"] == pytest.approx(books["worker_seconds"] / 1000)


def test_several_objectives_give_a_front_that_nothing_beats(tmp_path: Path) -> None:
    def sized(task: SliceTask) -> SliceResult:
        return replace(learn(task), trainable_parameters=int(task.spec.number * 37 % 11) + 1)

    context = stub_context(tmp_path / "run", sized, objectives=("loss", "size"), trials=12, scheduler="hyperband")
    trials_of(context)
    front = pareto(context)
    assert front is not None
    values = [tuple(one["values"].values()) for one in front["front"]]
    assert set(front_numbers(values)) == {0}
    assert values == sorted(values)


def test_the_front_numbers_are_those_of_non_dominated_sorting() -> None:
    assert front_numbers([(1.0, 4.0), (2.0, 2.0), (4.0, 1.0), (3.0, 3.0), (4.0, 4.0), (2.0, 2.0)]) == [0, 0, 0, 1, 2, 0]


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_a_forecast_says_what_the_search_does(scheduler: str, tmp_path: Path) -> None:
    context = stub_context(tmp_path / "run", scheduler=scheduler, trials=12)
    expected = forecast(context.request, context.plan, 0.0)
    records = trials_of(context)
    assert expected.trials == len(records)
    slices = sum(len(record.slices) for record in records)
    assert abs(expected.slices - slices) <= slices / 3


def test_a_longer_budget_buys_more_trials(tmp_path: Path) -> None:
    plan = replace(PLAN, step_seconds=0.1, evaluation_row_seconds=0.01)
    request = stub_context(tmp_path / "run", trials=None, budget_seconds=100.0).request
    counts = [forecast(replace(request, budget_seconds=s), plan, 0.0).trials for s in (100.0, 200.0, 400.0)]
    assert counts == sorted(set(counts))
    money = replace(request, budget_seconds=None, money=1.0, price_per_hour=36.0)  # 100 seconds
    assert forecast(money, plan, 0.0).trials == counts[0]
    assert forecast(replace(money, workers=2), plan, 0.0).seconds == pytest.approx(50.0)


class _Told:
    """Keeps what it is told; may fail at some call."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.heard: list[tuple[str, int]] = []
        self._fails_at = fails_at

    def slice_ended(self, ended: SliceEnded) -> None:
        self.heard.append((ended.key, ended.result.to_step))
        if len(self.heard) == self._fails_at:
            raise ValueError("no")

    def search_ended(self, result: object, run: Path) -> None:
        self.heard.append(("end", 0))


def test_callbacks_are_told_of_every_slice_that_was_kept_and_one_that_fails_ends_nothing(tmp_path: Path) -> None:
    listener, broken, lines = _Told(), _Told(fails_at=2), list[str]()
    context = replace(stub_context(tmp_path / "run"), callbacks=Callbacks([broken, listener], lines.append))
    records = trials_of(context)
    kept = {(f"trials/{one.spec.number:04d}", piece.to_step) for one in records for piece in one.slices}
    assert set(listener.heard) == kept and len(listener.heard) == len(kept)
    assert len(broken.heard) == 2
    assert len(lines) == 1 and "_Told" in lines[0] and "ValueError('no')" in lines[0]


def test_whoever_watches_is_told_how_trials_stand_and_the_best_with_its_interval(tmp_path: Path) -> None:
    moments: list[Progress] = []
    context = replace(stub_context(tmp_path / "run"), observer=Calls(moments.append))
    records = trials_of(context)
    for moment in moments:
        stands = moment.standing
        assert stands.running == 1 and moment.next_rung in PLAN.rung_steps
        assert stands.running + stands.paused + stands.done + stands.failed == moment.trials_started
    last = moments[-1]
    assert last.standing.slice_seconds == pytest.approx(0.11) and last.standing.step_peak_bytes == 1000
    best = records[int(last.best.split()[1])]
    assert last.best.startswith(f"trial {best.spec.number} lora: loss {best.loss:.3f} ± 0.020, accuracy 0.500 ± 0.020")
