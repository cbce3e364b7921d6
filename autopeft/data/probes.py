"""Linear models on fixed features for tasks that are no plain classification: numbers, and several labels a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autopeft.data.baselines import LinearHead

# Ascending regularisation times the width of the features.
RIDGES = (10.0, 3.0, 1.0, 0.3, 0.1)
_FIT_THREADS = 1
_ITERATIONS = 1000

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedProbe:
    """A linear model of several outputs.

    Attributes:
        answers: split -> outputs, (rows, outputs).
        start: the head that does the same, or one more regularised.
        note: how it was made.
    """

    answers: Mapping[str, Matrix]
    start: LinearHead
    note: str


def number_probe(features: Mapping[str, Matrix], numbers: Matrix, validation: Matrix) -> FittedProbe:
    """Ridge regression on standardised features; its strength is chosen by the squared error on validation.

    Args:
        features: split -> (rows, width).
        numbers: of the training rows.
        validation: numbers of the validation rows.
    """
    scaled, mean, spread = _standardised(features)
    width, centre = len(mean), float(numbers.mean())
    covariance = scaled["train"].T @ scaled["train"]
    moment = scaled["train"].T @ (numbers - centre)
    rows = len(numbers)
    weights = [np.linalg.solve(covariance + ridge * rows / width * np.eye(width), moment) for ridge in RIDGES]
    errors = [float(np.mean((scaled["validation"] @ one + centre - validation) ** 2)) for one in weights]
    best = int(np.argmin(errors))
    start = weights[max(0, best - 1)] / spread
    return FittedProbe(
        answers={split: (matrix @ weights[best] + centre)[:, None] for split, matrix in scaled.items()},
        start=LinearHead(start[None, :], np.asarray([centre - float(start @ mean)])),
        note=f"ridge regression on {width} frozen features, strength {RIDGES[best]:g} chosen on validation",
    )


def label_set_probe(features: Mapping[str, Matrix], labels: Matrix) -> FittedProbe:
    """A logistic regression for each label on standardised features, C = 1 / width.

    Args:
        features: split -> (rows, width).
        labels: of the training rows, 0 or 1 for each, (rows, labels).
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    scaled, mean, spread = _standardised(features)
    width = len(mean)
    weight, bias = np.zeros((labels.shape[1], width)), np.zeros(labels.shape[1])
    with threadpool_limits(_FIT_THREADS):
        for place, column in enumerate(labels.T):
            if column.min() == column.max():
                bias[place] = 4.0 if column[0] else -4.0  # nothing to tell apart: a clear yes or no
                continue
            model = LogisticRegression(C=1 / width, max_iter=_ITERATIONS).fit(scaled["train"], column)
            weight[place], bias[place] = model.coef_[0], model.intercept_[0]
    return FittedProbe(
        answers={split: matrix @ weight.T + bias for split, matrix in scaled.items()},
        start=LinearHead(weight / spread, bias - (weight / spread) @ mean),
        note=f"logistic regression for each label on {width} frozen features, C = 1 / {width}",
    )


def _standardised(features: Mapping[str, Any]) -> tuple[dict[str, Matrix], Matrix, Matrix]:
    mean = features["train"].mean(axis=0).astype(np.float64)
    spread = features["train"].std(axis=0).astype(np.float64) + 1e-8
    return {split: (matrix - mean) / spread for split, matrix in features.items()}, mean, spread
