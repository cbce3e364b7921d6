"""One score a row: what paired comparisons between models and baselines are made of."""

from collections.abc import Sequence
from typing import Any

from autopeft.data.metrics import row_scores, score
from autopeft.domain.metrics import METRICS, writes_answers
from autopeft.domain.tasks import Objective, TaskSpec

# What single rows are compared by where the metric is no mean over rows.
_ROW_METRICS: dict[Objective, str] = {
    "classification": "accuracy",
    "choice": "accuracy",
    "multi-label": "accuracy",
    "regression": "mse",
    "tagging": "token_accuracy",
    "span": "squad_f1",
}


def row_metric(task: TaskSpec) -> str:
    """What single rows of the task are compared by: its metric where that is a mean over rows."""
    spec = METRICS.get(task.metric)
    if spec and spec.row_mean:
        return task.metric
    if writes_answers(task):
        return "accuracy" if spec and spec.name == "macro_f1" else "rouge_l"
    return _ROW_METRICS.get(task.objective, "loss")


def answer_scores(task: TaskSpec, labels: Sequence[Any], predictions: Sequence[Any]) -> tuple[float, ...]:
    """One score a row by `row_metric`, more being better; empty where rows are compared by their losses."""
    metric = row_metric(task)
    if metric == "token_accuracy":
        return tuple(score(metric, [true], [told]) for true, told in zip(labels, predictions, strict=True))
    values = row_scores(metric, labels, predictions)
    if values is None:
        return ()
    sign = 1.0 if METRICS[metric].maximize else -1.0
    return tuple(round(sign * value, 6) for value in values)
