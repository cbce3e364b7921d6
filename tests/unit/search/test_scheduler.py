"""Successive halving: what is advanced, what is started, and when it ends."""

import random

import pytest

from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.search.scheduler import Advance, Start, decide, ranking, rung_steps

RUNGS = (10, 30, 90)


def slice_at(step: int, loss: float) -> SliceResult:
    return SliceResult(step, loss, 0.01, 0.5, 0.01, (), 1.0, 0.1, 1.1)


def trial(number: int, *losses: float, state: str = "paused") -> TrialRecord:
    spec = TrialSpec(number, "lora", {"learning_rate": 1e-3}, 0)
    return TrialRecord(spec, state, [slice_at(step, loss) for step, loss in zip(RUNGS, losses, strict=False)])


def test_the_first_thing_is_a_new_trial():
    assert decide([], RUNGS, may_start=True) == Start(10)


def test_a_trial_without_a_slice_goes_first():
    assert decide([trial(0, 1.0), trial(1, state="running")], RUNGS, may_start=True) == Advance(1, 10)


def test_the_best_third_of_a_rung_is_promoted():
    trials = [trial(0, 3.0), trial(1, 1.0), trial(2, 2.0)]
    assert decide(trials, RUNGS, may_start=True) == Advance(1, 30)


def test_nobody_is_promoted_twice_from_one_rung():
    trials = [trial(0, 3.0), trial(1, 1.0, 0.9), trial(2, 2.0)]
    assert decide(trials, RUNGS, may_start=True) == Start(10)


def test_higher_rungs_are_promoted_first():
    trials = [trial(n, 1.0 + n / 10, 0.9 + n / 10) for n in range(3)] + [trial(9, 0.1)]
    assert decide(trials, RUNGS, may_start=True) == Advance(0, 90)


def test_failed_trials_count_as_peers_and_are_never_promoted():
    trials = [trial(0, 3.0), trial(1, state="failed"), trial(2, state="oom")]
    assert decide(trials, RUNGS, may_start=False) == Advance(0, 30)


def test_it_ends_when_nothing_may_start_and_nobody_is_promotable():
    assert decide([trial(0, 1.0), trial(1, 2.0)], RUNGS, may_start=False) is None


@pytest.mark.parametrize("count", [1, 3, 9, 20])
def test_it_always_ends_and_trains_the_best_further(count):
    losses = random.Random(count).sample(range(100), count)
    trials: list[TrialRecord] = []
    for _ in range(10 * count):
        decision = decide(trials, RUNGS, may_start=len(trials) < count)
        if decision is None:
            break
        if isinstance(decision, Start):
            trials.append(trial(len(trials), float(losses[len(trials)])))
        else:
            chosen = trials[decision.number]
            chosen.slices.append(slice_at(decision.to_step, chosen.loss - 0.01))
    assert decision is None
    assert len(trials) == count
    promoted = sum(t.steps_done > 10 for t in trials)
    assert promoted <= count // 2 + 1
    if count >= 3:
        assert trials[losses.index(min(losses))].steps_done > 10


def test_ties_go_to_the_earlier_trial():
    assert [t.spec.number for t in ranking([trial(1, 1.0), trial(0, 1.0)])] == [0, 1]


@pytest.mark.parametrize("full", [1, 7, 24, 63, 100, 5000])
def test_rungs_ascend_and_end_at_full_length(full):
    rungs = rung_steps(full)
    assert rungs[-1] == full
    assert list(rungs) == sorted(set(rungs))
    assert len(rungs) <= 3
    assert len(rungs) == 1 or rungs[0] >= 12
