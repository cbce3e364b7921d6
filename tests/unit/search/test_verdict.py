"""Who wins, and when it is a tie."""

import numpy as np
import pytest
from scipy import stats

from autopeft.domain.evaluation import Evaluation, spread, standard_error
from autopeft.search.verdict import Standing, choose_winner, compare, sentence


def classified(predictions: list[int], labels: list[int]) -> Evaluation:
    ones = (1.0,) * len(labels)
    return Evaluation(ones, ones, tuple(predictions), tuple(labels))


def test_the_paired_interval_is_that_of_the_paired_t_statistic():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 200).tolist()
    mine = [y if generator.random() < 0.8 else 0 for y in labels]
    theirs = [y if generator.random() < 0.6 else 0 for y in labels]
    found = compare(classified(mine, labels), classified(theirs, labels))
    right = np.equal(mine, labels).astype(float) - np.equal(theirs, labels)
    assert found.difference == pytest.approx(right.mean())
    assert found.half_width == pytest.approx(1.96 * stats.sem(right))


def test_language_models_are_compared_by_loss_per_token():
    mine = Evaluation((10.0, 20.0), (10.0, 10.0))
    theirs = Evaluation((20.0, 30.0), (10.0, 10.0))
    assert compare(mine, theirs).difference == pytest.approx(1.0)


def test_equal_models_tie():
    labels = [0, 1] * 50
    same = compare(classified(labels, labels), classified(labels, labels))
    assert same.tie
    assert "a tie" in sentence("A", "B", same, "accuracy")


def test_the_best_mean_wins_when_the_gap_is_beyond_the_noise():
    standings = [Standing(0, (0.80, 0.82), 0.01, 5.0), Standing(1, (0.70, 0.71), 0.01, 1.0)]
    assert choose_winner(standings, maximize=True) == (0, [])


def test_a_tie_goes_to_the_cheaper():
    standings = [Standing(0, (0.80, 0.82), 0.02, 5.0), Standing(1, (0.80, 0.80), 0.02, 1.0)]
    assert choose_winner(standings, maximize=True) == (1, [0])


def test_less_loss_wins_where_less_is_better():
    standings = [Standing(0, (2.0,), 0.001, 1.0), Standing(1, (1.0,), 0.001, 1.0)]
    assert choose_winner(standings, maximize=False)[0] == 1


def test_those_with_fewer_finished_seeds_do_not_win_by_luck():
    standings = [Standing(0, (0.9,), 0.01, 1.0), Standing(1, (0.8, 0.8), 0.01, 1.0)]
    assert choose_winner(standings, maximize=True)[0] == 1


def test_nobody_wins_without_a_full_run():
    assert choose_winner([Standing(0, (), 0.0, 1.0)], maximize=True) == (None, [])


def test_spread_and_standard_error_agree_with_numpy():
    values = [0.5, 0.6, 0.9]
    assert spread(values) == pytest.approx(np.std(values, ddof=1))
    assert standard_error(values) == pytest.approx(stats.sem(values))
    assert spread([0.5]) is None
