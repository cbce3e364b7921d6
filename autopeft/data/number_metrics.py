"""Metrics of predicted numbers; one number a row."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = Sequence[float] | npt.NDArray[np.float64]


def squared_error(label: float, prediction: float) -> float:
    """The square of the row's error, in the label's unit squared."""
    return (float(prediction) - float(label)) ** 2


def absolute_error(label: float, prediction: float) -> float:
    """The row's error without its sign, in the label's unit."""
    return abs(float(prediction) - float(label))


def mean_squared_error(labels: Numbers, predictions: Numbers) -> float:
    """Mean of the squared errors."""
    return float(np.mean((np.asarray(predictions, dtype=np.float64) - np.asarray(labels, dtype=np.float64)) ** 2))


def mean_absolute_error(labels: Numbers, predictions: Numbers) -> float:
    """Mean of the errors without their signs."""
    return float(np.mean(np.abs(np.asarray(predictions, dtype=np.float64) - np.asarray(labels, dtype=np.float64))))


def pearson(labels: Numbers, predictions: Numbers) -> float:
    """Pearson's correlation, -1 to 1; 0 where one side is constant, since then nothing is told apart."""
    true, predicted = (np.asarray(side, dtype=np.float64) for side in (labels, predictions))
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return 0.0
    true, predicted = true - true.mean(), predicted - predicted.mean()
    scale = float(np.linalg.norm(true) * np.linalg.norm(predicted))
    return float(np.clip(np.sum(true * predicted) / scale, -1.0, 1.0)) if scale > 0 else 0.0


def spearman(labels: Numbers, predictions: Numbers) -> float:
    """Spearman's correlation: Pearson's of the ranks, ties sharing their mean rank."""
    return pearson(_ranks(labels), _ranks(predictions))


def _ranks(values: Numbers) -> list[float]:
    _, place, count = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    last: npt.NDArray[np.int64] = np.cumsum(count)
    return [float(rank) for rank in (last - (count - 1) / 2)[place]]
