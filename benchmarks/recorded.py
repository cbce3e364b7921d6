"""Recorded learning curves, and the simulated clock that a searcher pays on. Needs nothing but Python.

One rule for all: a proposal is the recorded configuration of its method that differs least from it, each knob on the
scale that it is searched on, and that this searcher has not been given yet; the searcher is told which one it was.
Where its method has no more of them, it is the nearest of another one, by the knobs that both have.
"""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CURVES = Path(__file__).parent / "curves"
# A score is reached when a full-length loss is at most this times the best recorded one.
WITHIN = 1.01
# A searcher's time: that of this share of the recorded configurations at full length.
BUDGET_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Curve:
    """A recorded configuration: by step, its loss there, and the seconds of training, evaluating and the rest."""

    number: int
    method: str
    hyperparameters: dict[str, Any]
    losses: dict[int, float]
    training: dict[int, float]
    evaluation: dict[int, float]
    rest: dict[int, float]

    def seconds(self, from_step: int, to_step: int) -> float:
        """Of a slice: its training, one evaluation at its end, and building and saving the model."""
        trained = sum(seconds for step, seconds in self.training.items() if from_step < step <= to_step)
        return trained + self.evaluation.get(to_step, 0.0) + self.rest.get(to_step, 0.0)


class Table:
    """The recorded curves of a task.

    Attributes:
        steps: at which losses are known; the last is the full length.
        knobs: method -> its knobs as plain values.
        starts: what the recommender would begin with.
    """

    def __init__(self, path: Path) -> None:
        head, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self.name = path.stem
        self.steps: list[int] = head["steps"]
        self.knobs: dict[str, list[dict[str, Any]]] = head["knobs"]
        self.starts: list[dict[str, Any]] = head["starts"]
        self.curves = [self._curve(number, line) for number, line in enumerate(lines)]
        self.full = self.steps[-1]
        finals = [curve for curve in self.curves if self.full in curve.losses]
        self.best = min(curve.losses[self.full] for curve in finals)
        self.full_seconds = statistics.mean(curve.seconds(0, self.full) for curve in finals)
        self.worst = max(curve.losses[self.full] for curve in finals)
        self.budget_seconds = BUDGET_SHARE * len(self.curves) * self.full_seconds

    def _curve(self, number: int, line: dict[str, Any]) -> Curve:
        columns = [
            dict(zip(self.steps, line[name], strict=False)) for name in ("losses", "training", "evaluation", "rest")
        ]
        return Curve(number, line["method"], line["hyperparameters"], *columns)

    def rung_choices(self) -> list[tuple[int, ...]]:
        """The two ladders of rungs, each three times the one before, that are searched on."""
        return [(12, 36, 108), (4, 12, 36, 108)]

    def gap(self, method: str, one: dict[str, Any], other: dict[str, Any]) -> float:
        """How much a recorded configuration differs from one of the method: squares on unit scales, added up."""
        shared = [knob for knob in self.knobs[method] if knob["name"] in one]
        return sum(_gap(knob, one[knob["name"]], other[knob["name"]]) for knob in shared)


def _gap(knob: dict[str, Any], one: Any, other: Any) -> float:
    if knob["kind"] == "categorical":
        return float(one != other)
    scale = math.log if knob["log"] else float
    low, high = scale(knob["low"]), scale(knob["high"])
    return 0.0 if high == low else ((scale(one) - scale(other)) / (high - low)) ** 2


class Session:
    """One searcher on one table: what it was given, what it has paid, and what it has found by when."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.now = 0.0
        self.scores: list[tuple[float, float]] = []
        self._given: set[int] = set()

    @property
    def over(self) -> bool:
        """Whether its time is up."""
        return self.now >= self.table.budget_seconds

    def take(self, method: str, hyperparameters: dict[str, Any]) -> Curve:
        """The recorded configuration for a proposal."""
        fresh = [curve for curve in self.table.curves if curve.number not in self._given]
        alike = [curve for curve in fresh if curve.method == method] or fresh or self.table.curves
        nearest = min(alike, key=lambda curve: self.table.gap(method, curve.hyperparameters, hyperparameters))
        self._given.add(nearest.number)
        return nearest

    def train(self, curve: Curve, from_step: int, to_step: int) -> float | None:
        """Pay for a slice; the loss at its end, or None where the configuration fails."""
        self.now += curve.seconds(from_step, to_step)
        loss = curve.losses.get(to_step)
        if to_step == self.table.full and loss is not None:
            self.scores.append((self.now, loss))
        return loss

    def train_on(self, curve: Curve, from_step: int, to_step: int) -> float | None:
        """As `train`, but without a pause before: the model is neither built nor read again."""
        loss = self.train(curve, from_step, to_step)
        if from_step:
            self.now -= curve.rest.get(to_step, 0.0)
        return loss

    def reached_seconds(self) -> float:
        """When a full-length loss within the margin of the best known was had; the whole time where it was not."""
        good = [when for when, loss in self.scores if loss <= self.table.best * WITHIN]
        return min([*good, self.table.budget_seconds])

    def best_at(self, seconds: float) -> float:
        """The least full-length loss by then; the worst recorded one where there is none yet."""
        return min((loss for when, loss in self.scores if when <= seconds), default=self.table.worst)
