"""What a model does on some rows, example by example, and how sure the means are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Losses and predictions, one entry a row, in the data set's order.

    Attributes:
        row_losses: the summed loss over the row's targets.
        row_weights: how many targets the row has (1 for a classification, else its tokens).
        predictions: the predicted answers, such as classes, numbers, lists of tags or texts; empty where none were
            asked for, as of language models.
        labels: the true answers.
        row_bytes: bytes of text behind the row's targets; empty where nobody counted them.
        answer_scores: one score a row, more being better, where answers were scored.
    """

    row_losses: tuple[float, ...]
    row_weights: tuple[float, ...]
    predictions: tuple[Any, ...] = ()
    labels: tuple[Any, ...] = ()
    row_bytes: tuple[float, ...] = ()
    answer_scores: tuple[float, ...] = ()

    @property
    def loss(self) -> float:
        """Mean loss per target."""
        return math.fsum(self.row_losses) / max(1.0, math.fsum(self.row_weights))

    @property
    def row_scores(self) -> tuple[float, ...]:
        """One score a row, more being better: its answer's; 1 or 0 for a class; else minus its share of the loss."""
        if self.answer_scores:
            return self.answer_scores
        if self.labels and isinstance(self.labels[0], int):
            pairs = zip(self.predictions, self.labels, strict=True)
            return tuple(float(prediction == label) for prediction, label in pairs)
        scale = len(self.row_weights) / max(1.0, math.fsum(self.row_weights))
        return tuple(round(-loss * scale, 6) for loss in self.row_losses)

    @property
    def loss_standard_error(self) -> float:
        """Standard error of `loss` over rows (of the ratio estimator, to first order)."""
        mean_weight = math.fsum(self.row_weights) / max(1, len(self.row_weights))
        residuals = [s - self.loss * w for s, w in zip(self.row_losses, self.row_weights, strict=True)]
        return standard_error(residuals) / max(mean_weight, 1e-12)


def standard_error(values: Sequence[float]) -> float:
    """Standard error of the mean; 0 for fewer than two values."""
    count = len(values)
    if count < 2:
        return 0.0
    mean = math.fsum(values) / count
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (count - 1) / count)


def spread(values: Sequence[float]) -> float | None:
    """Sample standard deviation; None for fewer than two values."""
    return standard_error(values) * math.sqrt(len(values)) if len(values) > 1 else None
