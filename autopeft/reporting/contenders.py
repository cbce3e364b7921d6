"""The facts of the final comparison: what was confirmed over seeds, the controls and the baselines."""

import math
from dataclasses import dataclass
from typing import Literal

from autopeft.reporting.reading import Pairs

Relation = Literal["better", "worse", "tie", "unknown"]
Split = Literal["test", "validation"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What the winner is selected by.

    Attributes:
        name: of the metric.
        maximize: whether a greater value is better.
        decimals: that its spread supports.
        loss_decimals: that the loss's standard error supports.
    """

    name: str
    maximize: bool
    decimals: int
    loss_decimals: int

    @property
    def direction(self) -> str:
        """Which way is better, in words."""
        return "higher is better" if self.maximize else "lower is better"


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a contender lies from the winner.

    Attributes:
        difference: contender minus winner, in the metric's unit; None where one of them is unknown.
        error: half the 95 % interval of a paired difference; else one standard error, the two taken as independent.
        split: `test`, or `validation` where one of them has no test figure.
        relation: how the contender stands to the winner; a gap within its error is a tie.
        paired: whether the two were compared row by row.
        row_metric: what the rows were compared by, where that is not the metric itself; then it decides `relation`.
    """

    difference: float | None
    error: float | None
    split: Split
    relation: Relation
    paired: bool = False
    row_metric: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the winner lies before a contender, row by row.

    Attributes:
        metric: that single rows are compared by, which is another than the task's where that is no mean over rows.
        difference: in that metric; above 0 the winner is better, whatever its direction.
        half_width: of the 95 % interval of the difference.
    """

    metric: str | None
    difference: float
    half_width: float

    @property
    def relation(self) -> Relation:
        """How the contender stands to the winner."""
        if abs(self.difference) <= self.half_width:
            return "tie"
        return "worse" if self.difference > 0 else "better"


@dataclass(frozen=True, slots=True)
class SeedScore:
    """One full-length run."""

    seed: int | None
    steps: int | None
    metric: float | None
    loss: float | None
    train_seconds: float | None


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate, control or baseline in the final comparison.

    Attributes:
        kind: `candidate`, `control` or `baseline`.
        label: its name for people.
        detail: what it is, where the label does not say it.
        mean: validation metric over the seeds.
        test: metric on the test split.
        test_standard_error: of the test metric, over examples.
        method: id; None for a baseline.
        trial: number of the trial that it repeats, or None.
        hyperparameters: name and value.
        seeds: every full-length run.
        spread: sample standard deviation over the seeds; None with one run.
        trainable_parameters: with the head.
        adapter_bytes: on disk.
        predicted_peak_bytes: by the estimate.
        measured_peak_bytes: by the tracker or by CUDA.
        measured_kind: which of the two.
        seconds_per_step: of training.
        row_seconds: of answering one row of the validation split.
        winner: whether this is the best adapter.
        same_as_winner: whether it is the winner under another name, as plain LoRA that won.
        lead: of the winner on the test split, row by row.
        gap: to the winner; None for the winner itself and where there is none.
    """

    kind: str
    label: str
    detail: str
    mean: float | None
    test: float | None
    test_standard_error: float | None
    method: str | None = None
    trial: int | None = None
    hyperparameters: Pairs = ()
    seeds: tuple[SeedScore, ...] = ()
    spread: float | None = None
    trainable_parameters: int | None = None
    adapter_bytes: int | None = None
    predicted_peak_bytes: int | None = None
    measured_peak_bytes: int | None = None
    measured_kind: str | None = None
    seconds_per_step: float | None = None
    row_seconds: float | None = None
    winner: bool = False
    same_as_winner: bool = False
    lead: Lead | None = None
    gap: Gap | None = None

    @property
    def train_seconds(self) -> float | None:
        """Mean over the seeds of the time in training."""
        known = [run.train_seconds for run in self.seeds if run.train_seconds is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean_standard_error(self) -> float | None:
        """Of the mean over seeds; None with one run."""
        return None if self.spread is None or len(self.seeds) < 2 else self.spread / math.sqrt(len(self.seeds))


def gap(contender: Contender, winner: Contender, metric: Metric) -> Gap:
    """How `contender` stands to `winner`, on the test split where both were measured there.

    Where the rows were compared one by one, that comparison is taken. Else a baseline has no standard error of
    its own: the winner's is taken for it, as both were measured on the same rows.
    """
    if contender.lead is not None:
        return _paired(contender.lead, contender, winner, metric)
    on_test = contender.test is not None and winner.test is not None
    value, error = _figure(contender, on_test)
    best, best_error = _figure(winner, on_test)
    split: Split = "test" if on_test else "validation"
    if value is None or best is None:
        return Gap(None, None, split, "unknown")
    if contender.kind == "baseline" and error is None:
        error = best_error
    both = math.hypot(error, best_error) if error is not None and best_error is not None else None
    return Gap(value - best, both, split, _relation(value - best, both, metric.maximize))


def _paired(lead: Lead, contender: Contender, winner: Contender, metric: Metric) -> Gap:
    """By the rows: the difference is the metric's own where single rows have it, else that of the two figures."""
    if lead.metric in (None, metric.name):
        difference = -lead.difference if metric.maximize else lead.difference
        return Gap(difference, lead.half_width, "test", lead.relation, True)
    known = contender.test is not None and winner.test is not None
    figures = (contender.test or 0.0) - (winner.test or 0.0) if known else None
    return Gap(figures, None, "test", lead.relation, True, lead.metric)


def _figure(contender: Contender, on_test: bool) -> tuple[float | None, float | None]:
    """A contender's figure on one split and its standard error."""
    if on_test:
        return contender.test, contender.test_standard_error
    return contender.mean, contender.mean_standard_error


def _relation(difference: float, error: float | None, maximize: bool) -> Relation:
    if error is None:
        return "unknown"
    if abs(difference) <= error:
        return "tie"
    return "better" if (difference > 0) == maximize else "worse"
