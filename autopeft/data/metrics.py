"""Task metrics of predicted answers, with their standard errors; what they are called is in `domain.metrics`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autopeft.data import class_metrics, number_metrics, tag_metrics, text_metrics
from autopeft.data.own_metrics import own_metric
from autopeft.domain.metrics import METRICS, OWN_MARK
from autopeft.errors import CatalogError

Answers = Sequence[Any] | npt.NDArray[Any]
Score = Callable[[Any, Any], float]
RowScore = Callable[[Any, Any], float]

_RESAMPLES = 200
_GROUPS = 20

SCORES: dict[str, Score] = {
    "accuracy": class_metrics.accuracy,
    "balanced_accuracy": class_metrics.balanced_accuracy,
    "f1": class_metrics.binary_f1,
    "macro_f1": class_metrics.macro_f1,
    "micro_f1": class_metrics.micro_f1,
    "matthews": class_metrics.matthews,
    "pearson": number_metrics.pearson,
    "spearman": number_metrics.spearman,
    "mse": number_metrics.mean_squared_error,
    "mae": number_metrics.mean_absolute_error,
    "entity_f1": tag_metrics.entity_f1,
    "token_accuracy": tag_metrics.token_accuracy,
    "bleu": text_metrics.bleu,
    "chrf": text_metrics.chrf,
}
ROW_SCORES: dict[str, RowScore] = {
    "accuracy": class_metrics.is_right,
    "mse": number_metrics.squared_error,
    "mae": number_metrics.absolute_error,
    "exact_match": text_metrics.exact_match,
    "squad_f1": text_metrics.squad_f1,
    "rouge1": text_metrics.rouge1,
    "rouge2": text_metrics.rouge2,
    "rouge_l": text_metrics.rouge_l,
    "numeric_match": text_metrics.numeric_match,
}
# A corpus metric that takes long: its error is found by leaving groups of rows out, not by drawing rows anew.
_SLOW = frozenset({"entity_f1", "token_accuracy", "bleu", "chrf"})


def score(metric: str, labels: Answers, predictions: Answers) -> float:
    """The metric named `metric` of one answer a row.

    Args:
        metric: in `domain.metrics`, or a user's own.
        labels: the true answers: class numbers, rows of 0 and 1, numbers, lists of tags, or texts (or a tuple of texts,
            of which each is right).
        predictions: likewise, but for a single text where several would be right.

    Raises:
        CatalogError: no such metric of answers; `loss` and `perplexity` come from losses.
    """
    if OWN_MARK in metric:
        return float(own_metric(metric)(list(labels), list(predictions)))
    if metric in SCORES:
        return SCORES[metric](labels, predictions)
    if metric not in ROW_SCORES:
        known = ", ".join(dict.fromkeys([*SCORES, *ROW_SCORES]))
        raise CatalogError(f"{metric!r} is no metric of predicted answers", hint=f"there are {known}")
    return math.fsum(row_scores(metric, labels, predictions) or ()) / len(labels)


def row_scores(metric: str, labels: Answers, predictions: Answers) -> list[float] | None:
    """The value of each row, whose mean the metric is; None where it is no such mean."""
    if metric not in ROW_SCORES:
        return None
    return [ROW_SCORES[metric](label, prediction) for label, prediction in zip(labels, predictions, strict=True)]


def standard_error(metric: str, labels: Answers, predictions: Answers, *, seed: int = 0) -> float:
    """Standard error of a metric over rows.

    That of a mean where the metric is one (binomial for accuracy), else of 200 seeded bootstrap resamples, or where
    one takes long by a jackknife that leaves out a twentieth of the rows at a time.
    """
    rows = len(labels)
    values = row_scores(metric, labels, predictions)
    if values is not None:
        return float(np.std(values) / math.sqrt(rows))
    generator = np.random.default_rng(seed)
    if metric in _SLOW or OWN_MARK in metric:
        return _jackknife(metric, labels, predictions, generator.permutation(rows))
    true, predicted = np.asarray(labels), np.asarray(predictions)
    draws = [generator.integers(0, rows, rows) for _ in range(_RESAMPLES)]
    return float(np.std([score(metric, true[draw], predicted[draw]) for draw in draws], ddof=1))


def _jackknife(metric: str, labels: Answers, predictions: Answers, order: np.ndarray[Any, Any]) -> float:
    """Delete-a-group jackknife (Shao and Tu, The Jackknife and Bootstrap, section 2.3)."""
    groups = min(_GROUPS, len(order))
    if groups < 2:
        return 0.0
    values = []
    for group in range(groups):
        kept = np.sort(np.delete(order, np.s_[group::groups]))
        values.append(score(metric, [labels[row] for row in kept], [predictions[row] for row in kept]))
    return float(np.std(values) * math.sqrt(groups - 1))


def is_better(metric: str, one: float, other: float) -> bool:
    """Whether `one` is better than `other`; a user's own metric is better where it is greater."""
    spec = METRICS.get(metric)
    return one > other if spec is None or spec.maximize else one < other


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


def bits_per_byte(total_loss: float, total_bytes: float) -> float:
    """A summed loss in nats as bits per byte of the text that it was taken over."""
    return total_loss / math.log(2) / total_bytes
