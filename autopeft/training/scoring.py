"""A task's metric of an evaluation, whatever kind of task it is."""

from autopeft.data.metrics import perplexity, score, standard_error
from autopeft.domain.evaluation import Evaluation


def metric_value(metric: str, evaluation: Evaluation) -> float:
    """The metric: of predicted labels, or `loss` or `perplexity` of the targets."""
    if metric == "loss":
        return evaluation.loss
    if metric == "perplexity":
        return perplexity(evaluation.loss)
    return score(metric, evaluation.labels, evaluation.predictions)


def metric_standard_error(metric: str, evaluation: Evaluation) -> float:
    """Standard error of the metric over rows; of perplexity by the delta method."""
    if metric == "loss":
        return evaluation.loss_standard_error
    if metric == "perplexity":
        return perplexity(evaluation.loss) * evaluation.loss_standard_error
    return standard_error(metric, evaluation.labels, evaluation.predictions)
