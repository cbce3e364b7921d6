"""Task metrics with their standard errors."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from autopeft.errors import CatalogError

Labels = Sequence[int] | npt.NDArray[np.int64]
_RESAMPLES = 200


def accuracy(labels: Labels, predictions: Labels) -> float:
    """Share of rows that are right, 0 to 1."""
    return float(np.mean(np.asarray(labels) == np.asarray(predictions)))


def macro_f1(labels: Labels, predictions: Labels) -> float:
    """F1 of every class that occurs, averaged with equal weight, 0 to 1."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="macro", zero_division=0.0))


def matthews(labels: Labels, predictions: Labels) -> float:
    """Matthews' correlation coefficient, -1 to 1; 0 is chance."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(labels, predictions))


METRICS: dict[str, Callable[[Labels, Labels], float]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "matthews": matthews,
}


def score(metric: str, labels: Labels, predictions: Labels) -> float:
    """The metric named `metric`.

    Raises:
        CatalogError: no such metric of labels; `loss` and `perplexity` come from losses.
    """
    if metric not in METRICS:
        raise CatalogError(f"{metric!r} is no metric of predicted labels", hint=f"there are {', '.join(METRICS)}")
    return METRICS[metric](labels, predictions)


def standard_error(metric: str, labels: Labels, predictions: Labels, *, seed: int = 0) -> float:
    """Standard error of a metric over rows: binomial for accuracy, else of 200 seeded bootstrap resamples."""
    rows = len(labels)
    if metric == "accuracy":
        share = accuracy(labels, predictions)
        return math.sqrt(share * (1 - share) / rows)
    true, predicted = np.asarray(labels), np.asarray(predictions)
    generator = np.random.default_rng(seed)
    draws = [generator.integers(0, rows, rows) for _ in range(_RESAMPLES)]
    return float(np.std([score(metric, true[draw], predicted[draw]) for draw in draws], ddof=1))


def mean_loss(row_losses: Sequence[float], row_weights: Sequence[float] | None = None) -> tuple[float, float]:
    """(mean loss per target, its standard error over rows).

    Args:
        row_losses: summed over the targets of every row.
        row_weights: targets of every row: tokens of a language model; None is one each.

    The error is that of a ratio of means, to first order (Cochran, Sampling Techniques, section 2.11).
    """
    losses = np.asarray(row_losses, dtype=np.float64)
    weights = np.ones_like(losses) if row_weights is None else np.asarray(row_weights, dtype=np.float64)
    mean = math.fsum(losses) / math.fsum(weights)
    rows = len(losses)
    if rows < 2:
        return mean, 0.0
    variance = float(np.sum((losses - mean * weights) ** 2)) / (rows - 1)
    return mean, math.sqrt(variance / rows) / float(weights.mean())


def perplexity(loss: float) -> float:
    """The exponential of a mean loss per token in nats; infinite where that overflows."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
