"""A task's metric of an evaluation, whatever kind of task it is."""

import math

from autopeft.data.metrics import bits_per_byte, perplexity, score, standard_error
from autopeft.domain.evaluation import Evaluation


def metric_value(metric: str, evaluation: Evaluation) -> float | None:
    """The metric: of answers, or `loss`, `perplexity`, `bits_per_byte`; None where no answers were asked for."""
    if metric == "loss":
        return evaluation.loss
    if metric == "perplexity":
        return perplexity(evaluation.loss)
    if metric == "bits_per_byte":
        return bits_per_byte(math.fsum(evaluation.row_losses), math.fsum(evaluation.row_bytes))
    return score(metric, evaluation.labels, evaluation.predictions) if evaluation.labels else None


def metric_standard_error(metric: str, evaluation: Evaluation) -> float | None:
    """Standard error of the metric over rows; of perplexity by the delta method."""
    if metric == "loss":
        return evaluation.loss_standard_error
    if metric == "perplexity":
        return perplexity(evaluation.loss) * evaluation.loss_standard_error
    if metric == "bits_per_byte":
        tokens_per_byte = math.fsum(evaluation.row_weights) / math.fsum(evaluation.row_bytes)
        return evaluation.loss_standard_error * tokens_per_byte / math.log(2)
    return standard_error(metric, evaluation.labels, evaluation.predictions) if evaluation.labels else None
