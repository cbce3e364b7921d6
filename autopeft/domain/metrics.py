"""The metrics by name: which way is better, and what they can be asked of; `data.metrics` computes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from autopeft.domain.tasks import Objective, TaskSpec
from autopeft.errors import UsageError


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric.

    Attributes:
        name: as `--metric` takes it.
        title: for people.
        maximize: whether greater is better.
        objectives: of the tasks that it can score.
        row_mean: whether it is the mean of one value a row.
        of_losses: whether it is made of losses alone, so that no answer is needed.
    """

    name: str
    title: str
    maximize: bool
    objectives: frozenset[Objective]
    row_mean: bool = False
    of_losses: bool = False


_CLASSES: tuple[Objective, ...] = ("classification", "choice")
_TEXTS: tuple[Objective, ...] = ("generation",)
_TOKENS: tuple[Objective, ...] = ("generation", "language-model", "chat")
_ANY: tuple[Objective, ...] = (*_CLASSES, "multi-label", "regression", "tagging", "span", *_TOKENS)


def _better_up(name: str, title: str, *objectives: Objective, row_mean: bool = False) -> MetricSpec:
    return MetricSpec(name, title, True, frozenset(objectives), row_mean)


def _better_down(name: str, title: str, *objectives: Objective, row_mean: bool = False) -> MetricSpec:
    return MetricSpec(name, title, False, frozenset(objectives), row_mean)


def _of_losses(name: str, title: str, *objectives: Objective) -> MetricSpec:
    return MetricSpec(name, title, False, frozenset(objectives), of_losses=True)


_ALL = (
    _better_up("accuracy", "share of rows that are right", *_CLASSES, "multi-label", *_TEXTS, row_mean=True),
    _better_up("balanced_accuracy", "recall of every class, averaged", *_CLASSES),
    _better_up("f1", "F1 of the second of two classes", "classification"),
    _better_up("macro_f1", "F1 of every class, averaged with equal weight", *_CLASSES, "multi-label", *_TEXTS),
    _better_up("micro_f1", "F1 over all labels together", *_CLASSES, "multi-label"),
    _better_up("matthews", "Matthews' correlation coefficient", *_CLASSES),
    _better_up("pearson", "linear correlation with the true numbers", "regression"),
    _better_up("spearman", "rank correlation with the true numbers", "regression"),
    _better_down("mse", "mean squared error", "regression", row_mean=True),
    _better_down("mae", "mean absolute error", "regression", row_mean=True),
    _better_up("entity_f1", "F1 of whole entities, type and both ends right (seqeval)", "tagging"),
    _better_up("token_accuracy", "share of words with the right tag", "tagging"),
    _better_up("exact_match", "answers equal but for case and punctuation (SQuAD)", "span", *_TEXTS, row_mean=True),
    _better_up("squad_f1", "words shared with the answer (SQuAD)", "span", *_TEXTS, row_mean=True),
    _better_up("rouge1", "ROUGE-1, F measure of shared words", *_TEXTS, row_mean=True),
    _better_up("rouge2", "ROUGE-2, F measure of shared pairs of words", *_TEXTS, row_mean=True),
    _better_up("rouge_l", "ROUGE-L, F measure of the longest common subsequence", *_TEXTS, row_mean=True),
    _better_up("bleu", "BLEU of the corpus, 0 to 100 (sacrebleu)", *_TEXTS),
    _better_up("chrf", "chrF2 of the corpus, 0 to 100 (sacrebleu)", *_TEXTS),
    _better_up("numeric_match", "share of rows whose final number is right", *_TEXTS, row_mean=True),
    _of_losses("loss", "mean loss per target", *_ANY),
    _of_losses("perplexity", "exponential of the mean loss per token", *_TOKENS),
    _of_losses("bits_per_byte", "loss in bits per byte of text", "language-model"),
)

# In the name of a user's own function, `module:function`, and in no other.
OWN_MARK = ":"
METRICS: Mapping[str, MetricSpec] = MappingProxyType({spec.name: spec for spec in _ALL})


def metrics_for(task: TaskSpec) -> tuple[MetricSpec, ...]:
    """The metrics that can score `task`."""
    return tuple(spec for spec in METRICS.values() if task.objective in spec.objectives)


def require_metric(task: TaskSpec, name: str) -> MetricSpec:
    """The metric of that name, if it can score `task`.

    Raises:
        UsageError: it cannot, or there is no such metric.
    """
    spec = METRICS.get(name)
    if spec is None or task.objective not in spec.objectives:
        fitting = ", ".join(one.name for one in metrics_for(task))
        raise UsageError(f"{name!r} is no metric of the task {task.id}", hint=f"it takes {fitting}")
    return spec


def with_metric(task: TaskSpec, name: str | None) -> TaskSpec:
    """The task scored by another metric; None keeps its own.

    Raises:
        UsageError: there is no such metric, or it says nothing about this task.
    """
    if name is None or name == task.metric:
        return task
    if OWN_MARK in name:
        return replace(task, metric=name, maximize=True)
    return replace(task, metric=name, maximize=require_metric(task, name).maximize)


def writes_answers(task: TaskSpec) -> bool:
    """Whether the model has to write texts to be scored; a metric that is not listed is a user's own."""
    spec = METRICS.get(task.metric)
    return task.objective == "generation" and not (spec and spec.of_losses)
