"""What the sampler over learning curves takes from them, and what its model of them promises."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopeft.catalog import load_catalog
from autopeft.domain.knobs import Knob
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec, TrialState
from autopeft.search.curve_model import CurveModel, Points, covariance, expected_improvement, normal_scores
from autopeft.search.mobster import propose_by_curves
from autopeft.search.space import Space, drawn, share_of_range, value_at

METHODS = {name: load_catalog().method(name) for name in ("lora", "ia3", "houlsby")}
SPACE = Space(METHODS)


def trial(number: int, method: str, losses: dict[int, float], state: TrialState = "paused") -> TrialRecord:
    """A trial at a random configuration, with these losses by step."""
    generator = np.random.default_rng(number)
    values = {knob.name: drawn(knob, generator) for knob in METHODS[method].knobs}
    slices = [SliceResult(step, loss, 0.01, None, None, (), 1.0, 0.1, 1.1) for step, loss in losses.items()]
    return TrialRecord(TrialSpec(number, method, values, 0), state, slices)


def proposed(trials: list[TrialRecord], cost: Callable[[str], float] = lambda _method: 1.0) -> Counter[str]:
    """How often each method is proposed, over twenty seeds."""
    return Counter(propose_by_curves(trials, METHODS, seed, cost)[0] for seed in range(20))


def random_points(count: int, seed: int) -> Points:
    generator = np.random.default_rng(seed)
    known = [SPACE.uniform(generator) for _ in range(count)]
    return SPACE.points(known, [int(generator.integers(1, 200)) for _ in known], range(count))


@given(st.integers(0, 10_000))
def test_the_kernel_is_a_covariance(seed: int) -> None:
    points = random_points(12, seed)
    matrix = covariance(points, points)
    assert np.allclose(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
    assert np.allclose(np.diag(matrix), 1.2)


def test_the_model_knows_what_it_saw_and_not_what_it_did_not() -> None:
    points, scores = random_points(10, 0), np.linspace(-2, 2, 10)
    model = CurveModel(points, scores)
    assert np.abs(model.means(points) - scores).max() < 0.05
    fresh = random_points(200, 1)
    unknown = Points(fresh.methods, fresh.rates, fresh.others, fresh.steps, -1 - fresh.trials)
    assert model.spreads(unknown).max() > 0.8 > 0.5 > model.spreads(points).max()


def test_improvement_grows_with_what_is_expected_and_with_what_is_not_known() -> None:
    means, spreads = np.array([0.0, 1.0, 0.0]), np.array([1.0, 1.0, 2.0])
    sure, worse, unsure = expected_improvement(means, spreads, 0.0)
    assert worse < sure < unsure


def test_a_diverged_loss_does_not_squeeze_the_others() -> None:
    assert np.allclose(normal_scores(np.array([3.0, 1.0, 2.0])), normal_scores(np.array([1e9, 1.0, 2.0])))


def test_a_method_that_starts_slowly_is_seen_to_overtake() -> None:
    slow = [trial(n, "ia3", {12: 2.0, 36: 1.2, 108: 0.4}) for n in range(6)]
    fast = [trial(6 + n, "lora", {12: 1.0, 36: 0.95, 108: 0.9}) for n in range(6)]
    assert proposed(slow + fast)["ia3"] > 15


def test_what_costs_more_must_promise_more() -> None:
    trials = [trial(n, name, {12: 1.0 + 0.01 * n}) for n, name in enumerate(["lora", "ia3"] * 6)]
    assert proposed(trials, lambda method: 50.0 if method == "lora" else 1.0)["lora"] == 0


def test_a_method_that_fails_is_left() -> None:
    good = [trial(n, "lora", {12: 1.0 + 0.01 * n}) for n in range(8)]
    failed = [trial(8 + n, "ia3", {}, "failed") for n in range(8)]
    assert proposed(good + failed)["ia3"] == 0


def test_no_loss_at_all_is_the_best_there_is() -> None:
    trials = [trial(n, "lora", {12: 1.0 + 0.01 * n}) for n in range(8)]
    assert proposed([*trials, *(trial(8 + n, "ia3", {12: 0.0}) for n in range(4))])["ia3"] > 15


def test_slices_that_failed_at_once_teach_nothing() -> None:
    failed = [trial(n, "lora", {}, "failed") for n in range(10)]
    for one in failed:
        one.slices.append(SliceResult.failed(0, "diverged", wall_seconds=1.0))
    assert proposed(failed)


def test_running_trials_keep_others_away() -> None:
    trials = [trial(n, "lora", {12: 1.0 - 0.1 * n}) for n in range(8)]
    first = propose_by_curves(trials, METHODS, 0, lambda _method: 1.0)
    running = TrialRecord(TrialSpec(8, first[0], dict(first[1]), 0))
    assert propose_by_curves([*trials, running], METHODS, 0, lambda _method: 1.0) != first


def test_a_long_history_is_cut_to_what_can_be_fitted() -> None:
    trials = [trial(n, "lora", {12: 1.0 + (n % 7) / 10}) for n in range(600)]
    assert propose_by_curves(trials, METHODS, 0, lambda _method: 1.0)[0] in METHODS


@pytest.mark.parametrize(
    "knob", [k for m in METHODS.values() for k in m.knobs if k.kind != "categorical"], ids=lambda knob: knob.name
)
def test_a_share_of_the_range_is_a_value_and_back(knob: Knob) -> None:
    for share in (0.0, 0.3, 1.0):
        value = value_at(knob, share)
        assert knob.check(value) == value
        assert value_at(knob, share_of_range(knob, float(value))) == pytest.approx(value)
