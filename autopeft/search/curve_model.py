"""What a configuration would come to: a Gaussian process over configuration and step, fitted to all slices so far.

Source: MOBSTER (arXiv:2003.10865), section 3.1: one process over hyperparameters and resource. Its kernel here is a
product: learning rates are alike across methods, whose ranges begin and end where each works; other knobs count within
a method only; and a trial keeps what is its own from step to step. Losses enter as normal scores of their ranks (the
copula transform of arXiv:1909.13595), so that diverged trials do not drown the difference between good ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Length scales, in whole ranges of a knob.
RATE_SCALE = 0.25
OTHERS_SCALE = 1.0
# In logarithms of the step: losses a factor of 20 apart in training are as weakly tied as 1/e.
STEP_SCALE = 3.0
# How alike two methods are at the same learning rate, within their ranges.
BETWEEN_METHODS = 0.3
# Variance that belongs to a trial and not to its configuration, beside the 1 of the configurations.
TRIAL_VARIANCE = 0.2
NOISE_VARIANCE = 0.0025
# What is thought of a stretch between rungs that few trials went: so many of them, each falling by so much in log loss.
PRIOR_TRIALS, PRIOR_FALL = 2, 0.1


@dataclass(frozen=True, slots=True)
class Points:
    """Configurations at steps, as the process sees them.

    Attributes:
        methods: (n,) number of the method.
        rates: (n,) learning rate, as a share of its range.
        others: (n, k) the other knobs, likewise; two values of a categorical one lie 0.7 of a range apart.
        steps: (n,) logarithm of the step.
        trials: (n,) number of the trial; of what is no trial yet, its own negative number.
    """

    methods: Integers
    rates: Floats
    others: Floats
    steps: Floats
    trials: Integers

    def at(self, step: float) -> "Points":
        """The same, at another step."""
        return Points(self.methods, self.rates, self.others, np.full_like(self.steps, step), self.trials)

    def joined(self, others: "Points") -> "Points":
        """These and others, in this order."""
        pairs = zip(self._columns(), others._columns(), strict=True)
        return Points(*(np.concatenate(pair) for pair in pairs))

    def _columns(self) -> tuple[Any, ...]:
        return self.methods, self.rates, self.others, self.steps, self.trials

    def __len__(self) -> int:
        return len(self.methods)


def covariance(one: Points, two: Points) -> Floats:
    """Of what they come to: (n, m)."""
    rates = _matern(np.abs(one.rates[:, None] - two.rates[None, :]) / RATE_SCALE)
    squares = (one.others**2).sum(1)[:, None] + (two.others**2).sum(1)[None, :] - 2 * one.others @ two.others.T
    within = _matern(np.sqrt(np.maximum(squares, 0.0)) / OTHERS_SCALE)
    same = one.methods[:, None] == two.methods[None, :]
    steps = np.exp(-np.abs(one.steps[:, None] - two.steps[None, :]) / STEP_SCALE)
    own = TRIAL_VARIANCE * (one.trials[:, None] == two.trials[None, :])
    return np.asarray((rates * np.where(same, within, BETWEEN_METHODS) + own) * steps)


def _matern(distance: Floats) -> Floats:
    """Matern's kernel of smoothness 5/2."""
    scaled = np.sqrt(5.0) * distance
    return np.asarray((1 + scaled + scaled**2 / 3) * np.exp(-scaled))


class CurveModel:
    """The process, given what was seen."""

    def __init__(self, seen: Points, scores: Floats) -> None:
        self._seen = seen
        matrix = covariance(seen, seen) + NOISE_VARIANCE * np.eye(len(seen))
        self._factor = np.linalg.cholesky(matrix)
        self._weights = np.linalg.solve(matrix, scores)

    def means(self, points: Points) -> Floats:
        """What they are expected to come to."""
        return np.asarray(covariance(points, self._seen) @ self._weights)

    def spreads(self, points: Points) -> Floats:
        """Standard deviations of what their configurations come to."""
        explained = np.linalg.solve(self._factor, covariance(self._seen, points))
        return np.asarray(np.sqrt(np.maximum(1.0 - (explained**2).sum(0), 1e-9)))


def expected_improvement(means: Floats, spreads: Floats, best: float) -> Floats:
    """How far below `best` each comes in the mean, what is above counting as nothing."""
    normal = NormalDist()
    scores = (best - means) / spreads
    below = np.array([normal.cdf(float(score)) for score in scores])
    density = np.array([normal.pdf(float(score)) for score in scores])
    return np.asarray((best - means) * below + spreads * density)


def normal_scores(values: Floats) -> Floats:
    """Values by their ranks, as if they were normally distributed; mean 0 and standard deviation 1."""
    places = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    normal = NormalDist()
    scores = np.array([normal.inv_cdf((place + 0.5) / len(values)) for place in places.tolist()])
    return np.asarray(scores / (scores.std() or 1.0))


def falls_ahead(curves: Sequence[dict[int, float]], steps: Sequence[int]) -> dict[int, float]:
    """By how much log losses at each step still fall until the last, as those fell that were trained on.

    Args:
        curves: of each trial, log losses by step.
        steps: all steps at which there are any, ascending.
    """
    ahead, total = {steps[-1]: 0.0}, 0.0
    for before, after in reversed(list(pairwise(steps))):
        fallen = [curve[before] - curve[after] for curve in curves if before in curve and after in curve]
        total += (sum(fallen) + PRIOR_TRIALS * PRIOR_FALL) / (len(fallen) + PRIOR_TRIALS)
        ahead[before] = total
    return ahead
