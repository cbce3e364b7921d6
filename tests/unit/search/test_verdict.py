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
    found = compare(classified(mine, labels).row_scores, classified(theirs, labels).row_scores)
    right = np.equal(mine, labels).astype(float) - np.equal(theirs, labels)
    assert found.difference == pytest.approx(right.mean())
    assert found.half_width == pytest.approx(1.96 * stats.sem(right))


def test_language_models_are_compared_by_loss_per_token():
    mine = Evaluation((10.0, 20.0), (10.0, 10.0))
    theirs = Evaluation((20.0, 30.0), (10.0, 10.0))
    assert compare(mine.row_scores, theirs.row_scores).difference == pytest.approx(1.0)


def test_equal_models_tie():
    labels = [0, 1] * 50
    same = compare(classified(labels, labels).row_scores, classified(labels, labels).row_scores)
    assert same.tie
    assert "a tie" in sentence("A", "B", same, "accuracy")


def standing(index: int, values: tuple[float, ...], cost: float, rows: tuple[float, ...] = ()) -> Standing:
    return Standing(index, values, rows, cost)


def test_the_best_mean_wins_when_the_gap_is_beyond_the_noise():
    rows = (1.0,) * 80 + (0.0,) * 20, (1.0,) * 60 + (0.0,) * 40
    standings = [standing(0, (0.80,), 5.0, rows[0]), standing(1, (0.60,), 1.0, rows[1])]
    assert choose_winner(standings, maximize=True) == (0, [])


def test_a_tie_goes_to_the_cheaper():
    # Two rows more are right, thirty differ: less than one standard error of the paired difference.
    mine = (1.0,) * 16 + (0.0,) * 14 + (1.0,) * 70
    theirs = (0.0,) * 16 + (1.0,) * 14 + (1.0,) * 70
    standings = [standing(0, (0.86,), 5.0, mine), standing(1, (0.84,), 1.0, theirs)]
    assert choose_winner(standings, maximize=True) == (1, [0])


def test_a_small_gap_that_every_row_agrees_on_is_no_tie():
    mine = (1.0,) * 86 + (0.0,) * 14
    theirs = (1.0,) * 84 + (0.0,) * 16
    standings = [standing(0, (0.86,), 5.0, mine), standing(1, (0.84,), 1.0, theirs)]
    assert choose_winner(standings, maximize=True) == (0, [])


def test_less_loss_wins_where_less_is_better():
    standings = [standing(0, (2.0,), 1.0), standing(1, (1.0,), 1.0)]
    assert choose_winner(standings, maximize=False)[0] == 1


def test_those_with_fewer_finished_seeds_do_not_win_by_luck():
    standings = [standing(0, (0.9,), 1.0), standing(1, (0.8, 0.8), 1.0)]
    assert choose_winner(standings, maximize=True)[0] == 1


def test_nobody_wins_without_a_full_run():
    assert choose_winner([standing(0, (), 1.0)], maximize=True) == (None, [])


def test_row_scores_average_to_the_metric():
    classes = classified([0, 1, 1], [0, 1, 0])
    assert sum(classes.row_scores) / 3 == pytest.approx(2 / 3)
    words = Evaluation((10.0, 20.0), (10.0, 5.0))
    assert sum(words.row_scores) / 2 == pytest.approx(-words.loss, abs=1e-6)


def test_spread_and_standard_error_agree_with_numpy():
    values = [0.5, 0.6, 0.9]
    assert spread(values) == pytest.approx(np.std(values, ddof=1))
    assert standard_error(values) == pytest.approx(stats.sem(values))
    assert spread([0.5]) is None


def test_a_tie_is_judged_in_the_unit_of_the_rows_and_not_of_the_metric():
    # A correlation a little higher, errors on the rows far smaller: no tie, whatever the units are.
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.02, 200)
    mine, theirs = tuple(-0.52 + noise), tuple(-0.62 - noise)
    standings = [standing(0, (0.90,), 5.0, mine), standing(1, (0.885,), 1.0, theirs)]
    assert choose_winner(standings, maximize=True) == (0, [])
    # A score from 0 to 100 a little higher, rows that say nothing: a tie.
    rows = tuple(generator.normal(0.5, 0.2, 200)), tuple(generator.normal(0.5, 0.2, 200))
    better, cheaper = (0, 1) if sum(rows[0]) >= sum(rows[1]) else (1, 0)
    scores = {better: 30.05, cheaper: 30.0}
    standings = [standing(index, (scores[index],), 1.0 + (index == better), rows[index]) for index in (0, 1)]
    assert choose_winner(standings, maximize=True) == (cheaper, [better])
