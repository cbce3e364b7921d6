"""The learning rate over a run."""

import pytest

from autopeft.training.schedule import learning_rate_scale


def test_it_warms_up_then_decays_to_nearly_nothing():
    scales = [learning_rate_scale(step, 100, 0.06) for step in range(100)]
    peak = scales.index(max(scales))
    assert scales[:peak] == sorted(scales[:peak])
    assert scales[peak:] == sorted(scales[peak:], reverse=True)
    assert max(scales) == pytest.approx(1.0, abs=0.01)
    assert 0 < scales[0] < 0.2
    assert 0 < scales[-1] < 0.02


@pytest.mark.parametrize("full", [1, 2, 5, 1000])
def test_every_step_trains(full):
    assert all(0 < learning_rate_scale(step, full, 0.06) <= 1 for step in range(full))
