"""Schedulers: what is advanced, what is started, and when it ends."""

import random
from collections import Counter

import pytest

from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.search.freeze_thaw import predict, stretch_drops
from autopeft.search.scheduler import Advance, Start, View, bracket_of, ranking, rung_steps
from autopeft.search.schedulers import SCHEDULERS

RUNGS = (10, 30, 90)
asha, hyperband = SCHEDULERS["asha"], SCHEDULERS["hyperband"]


def slice_at(step: int, loss: float, **more) -> SliceResult:
    return SliceResult(step, loss, 0.01, 0.5, 0.01, (), 1.0, 0.1, 1.1, **more)


def trial(number: int, *losses: float, state: str = "paused", **more) -> TrialRecord:
    spec = TrialSpec(number, "lora", {"learning_rate": 1e-3}, 0)
    slices = [slice_at(step, loss, **more) for step, loss in zip(RUNGS, losses, strict=False)]
    return TrialRecord(spec, state, slices)


def view(trials, *, may_start: bool = True, **more) -> View:
    return View(trials, RUNGS, len(trials) if may_start else None, **more)


def test_the_first_thing_is_a_new_trial():
    assert asha(view([])) == Start(10)


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_trial_without_a_slice_goes_first(name):
    decision = SCHEDULERS[name](view([trial(0, 1.0), trial(1, state="running")]))
    assert isinstance(decision, Advance)
    assert decision.number == 1


def test_the_best_third_of_a_rung_is_promoted():
    trials = [trial(0, 3.0), trial(1, 1.0), trial(2, 2.0)]
    assert asha(view(trials)) == Advance(1, 30)


def test_nobody_is_promoted_twice_from_one_rung():
    trials = [trial(0, 3.0), trial(1, 1.0, 0.9), trial(2, 2.0)]
    assert asha(view(trials)) == Start(10)


def test_what_is_busy_or_stopped_is_not_promoted_and_still_counts_as_a_peer():
    trials = [trial(0, 3.0), trial(1, 1.0), trial(2, 2.0)]
    assert asha(view(trials, busy=frozenset({1}))) == Start(10)
    assert asha(view([trial(0, 3.0), trial(1, 1.0, state="stopped"), trial(2, 2.0)])) == Start(10)
    assert asha(view([trial(0, state="running")], busy=frozenset({0}))) == Start(10)


def test_higher_rungs_are_promoted_first():
    trials = [trial(n, 1.0 + n / 10, 0.9 + n / 10) for n in range(3)] + [trial(9, 0.1)]
    assert asha(view(trials)) == Advance(0, 90)


def test_failed_trials_count_as_peers_and_are_never_promoted():
    trials = [trial(0, 3.0), trial(1, state="failed"), trial(2, state="oom")]
    assert asha(view(trials, may_start=False)) == Advance(0, 30)


def test_it_ends_when_nothing_may_start_and_nobody_is_promotable():
    assert asha(view([trial(0, 1.0), trial(1, 2.0)], may_start=False)) is None


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
@pytest.mark.parametrize("count", [1, 3, 9, 20])
def test_it_always_ends_and_trains_the_best_further(name, count):
    losses = random.Random(count).sample(range(100), count)
    trials: list[TrialRecord] = []
    for _ in range(10 * count):
        decision = SCHEDULERS[name](view(trials, may_start=len(trials) < count))
        if decision is None:
            break
        if isinstance(decision, Start):
            trials.append(trial(len(trials)))
            chosen = trials[-1]
        else:
            chosen = trials[decision.number]
        chosen.slices.append(slice_at(decision.to_step, float(losses[chosen.spec.number])))
    assert decision is None
    assert len(trials) == count
    furthest = max(one.steps_done for one in trials)
    if name == "asha" and count >= 3:
        assert furthest > RUNGS[0]
        assert min(trials, key=lambda one: one.loss).steps_done == furthest


def test_hyperband_begins_more_trials_the_earlier_they_may_be_stopped():
    begun = Counter(bracket_of(number, 3) for number in range(17))
    assert begun == {0: 9, 1: 5, 2: 3}  # arXiv:1603.06560, table 1 with R = 9 and eta = 3
    assert set(bracket_of(number, 3) for number in range(4)) >= {0, 1}


def test_hyperband_compares_within_a_bracket_only():
    first = [number for number in range(20) if bracket_of(number, 3) == 0][:3]
    other = next(number for number in range(20) if bracket_of(number, 3) == 1)
    at_30 = TrialRecord(TrialSpec(other, "lora", {}, 0), "paused", [slice_at(30, 0.1)])
    trials = [trial(number, 1.0 + number) for number in first]
    assert hyperband(view([*trials, at_30], may_start=False)) == Advance(first[0], 30)


def test_several_objectives_promote_from_the_front():
    trials = [trial(0, 3.0, trainable_parameters=1), trial(1, 1.0, trainable_parameters=9), trial(2, 4.0)]
    trials[2].slices[0] = slice_at(10, 4.0, trainable_parameters=20)
    decision = asha(view(trials, objectives=("loss", "size"), may_start=False))
    assert decision == Advance(1, 30)
    assert [one.spec.number for one in ranking(trials, ("loss", "size"))] == [1, 0, 2]


def test_ties_go_to_the_earlier_trial():
    assert [t.spec.number for t in ranking([trial(1, 1.0), trial(0, 1.0)])] == [0, 1]


def test_the_ranking_prefers_trials_that_got_further():
    trials = [trial(0, 0.5), trial(1, 0.9, 0.8), trial(2, state="failed")]
    assert [one.spec.number for one in ranking(trials)] == [1, 0]


@pytest.mark.parametrize("full", [1, 7, 24, 63, 100, 5000])
def test_rungs_ascend_and_end_at_full_length(full):
    rungs = rung_steps(full)
    assert rungs[-1] == full
    assert list(rungs) == sorted(set(rungs))
    assert len(rungs) <= 3
    assert len(rungs) == 1 or rungs[0] >= 12


def test_freeze_thaw_thaws_what_promises_most_for_its_cost():
    thaw = SCHEDULERS["freeze-thaw"]
    trials = [trial(n, 1.0 + n) for n in range(4)]
    assert thaw(view(trials, may_start=False)) == Advance(0, 30)
    # A rival that is as good but whose steps cost twenty times as much waits.
    rivals = [trial(0, 1.0), TrialRecord(TrialSpec(1, "dear", {}, 0), "paused", [slice_at(10, 0.98)]), *trials[2:]]
    dear = view(rivals, may_start=False, cost=lambda method, steps: steps * (20.0 if method == "dear" else 1.0))
    assert thaw(dear) == Advance(0, 30)


def test_freeze_thaw_learns_how_far_curves_fall_from_the_studys_own():
    flat = [trial(n, 1.0 + n / 10, 1.0 + n / 10, 1.0 + n / 10) for n in range(6)]
    steep = [trial(n, 1.0 + n / 10, 0.3 + n / 30, 0.1 + n / 90) for n in range(6)]
    paused = trial(9, 1.0)
    expected = [predict(paused, RUNGS, stretch_drops(trials, RUNGS)) for trials in (flat, steep)]
    assert expected[1].mean < expected[0].mean - 1.0
    finished = predict(flat[0], RUNGS, stretch_drops(flat, RUNGS))
    assert finished.spread == 0.0
    assert finished.mean == pytest.approx(0.0)


def test_freeze_thaw_begins_new_trials_when_the_paused_ones_are_hopeless():
    hopeless = [trial(0, 1.0, 0.5, 0.2)] + [trial(n, 50.0) for n in range(1, 4)]
    assert SCHEDULERS["freeze-thaw"](view(hopeless)) == Start(10)
