"""A trial of a search: what is to be trained, and what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from autopeft.domain.knobs import Value

TrialState = Literal["running", "paused", "stopped", "finished", "failed", "oom"]


@dataclass(frozen=True, slots=True)
class Split:
    """How the rows of an optimizer step go through the model; it moves memory and time, not what is learned.

    Attributes:
        accumulation: micro-batches in a step.
        gradient_checkpointing: whether activations are recomputed.
        lowered: whether the micro-batch has been halved after a lack of memory, which happens once.
    """

    accumulation: int = 1
    gradient_checkpointing: bool = False
    lowered: bool = False

    def micro_batch_size(self, batch_size: int) -> int:
        """Rows of the largest micro-batch of a step of `batch_size` rows."""
        return -(-batch_size // self.accumulation)

    def halved(self, batch_size: int) -> "Split | None":
        """With micro-batches half as large; None where that has been done already or cannot be."""
        if self.lowered or self.micro_batch_size(batch_size) < 2:
            return None
        return replace(self, accumulation=min(batch_size, 2 * self.accumulation), lowered=True)


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """Everything that decides a trial's numbers, beside the plan.

    Attributes:
        number: of the trial; also its folder.
        method: id.
        hyperparameters: all knobs, training settings among them.
        seed: of head initialisation, dropout and data order.
        split: how its steps are run, chosen by what is predicted to fit.
    """

    number: int
    method: str
    hyperparameters: Mapping[str, Value]
    seed: int
    split: Split = Split()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "number": self.number,
            "method": self.method,
            "hyperparameters": dict(self.hyperparameters),
            "seed": self.seed,
            "accumulation": self.split.accumulation,
            "gradient_checkpointing": self.split.gradient_checkpointing,
            "lowered": self.split.lowered,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "TrialSpec":
        """The inverse of `to_dict`."""
        splits = plain.get("accumulation", 1), plain.get("gradient_checkpointing", False), plain.get("lowered", False)
        split = Split(*splits)
        return cls(plain["number"], plain["method"], dict(plain["hyperparameters"]), plain["seed"], split)


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What one slice of training gave: one line of a trial's `events.jsonl`.

    Attributes:
        to_step: optimizer steps done in all.
        validation_loss: mean loss on the rung's fixed validation sample; None when the slice failed.
        validation_loss_standard_error: of that mean, over examples.
        validation_metric: the task's metric on the same sample.
        validation_metric_standard_error: of it, over examples.
        train_losses: (step, mean training loss since the previous point).
        train_seconds: in forward, backward and optimizer.
        evaluation_seconds: in evaluation.
        wall_seconds: of the whole slice, without what was trained again since its checkpoint was lost.
        measured_peak_bytes: of the tensors, by the tracker or by CUDA; None where it was not measured.
        trainable_parameters: with the head.
        row_scores: at full length, one score a validation row whose mean is the metric (or minus the loss):
            what paired comparisons are made of; else empty.
        error: why the slice failed, or None.
        failure: `failed` or `oom` when error is set.
        accumulation: micro-batches in a step; more than the trial's where a lack of memory halved them.
    """

    to_step: int
    validation_loss: float | None
    validation_loss_standard_error: float | None
    validation_metric: float | None
    validation_metric_standard_error: float | None
    train_losses: tuple[tuple[int, float], ...]
    train_seconds: float
    evaluation_seconds: float
    wall_seconds: float
    measured_peak_bytes: int | None = None
    trainable_parameters: int = 0
    row_scores: tuple[float, ...] = ()
    error: str | None = None
    failure: Literal["failed", "oom"] | None = None
    accumulation: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {
            "train_losses": [list(point) for point in self.train_losses],
            "row_scores": list(self.row_scores),
        }

    @classmethod
    def failed(
        cls, from_step: int, error: str, *, wall_seconds: float, failure: Literal["failed", "oom"] = "failed"
    ) -> "SliceResult":
        """The result of a slice that went wrong before it was evaluated."""
        return cls(from_step, None, None, None, None, (), 0.0, 0.0, wall_seconds, error=error, failure=failure)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "SliceResult":
        """The inverse of `to_dict`."""
        points = tuple((int(step), float(loss)) for step, loss in plain["train_losses"])
        return cls(**{**plain, "train_losses": points, "row_scores": tuple(plain.get("row_scores", ()))})


def after_slice(spec: TrialSpec, result: SliceResult) -> TrialSpec:
    """The spec of the next slice: what a lack of memory made of the split stays."""
    if result.accumulation <= spec.split.accumulation:
        return spec
    return replace(spec, split=replace(spec.split, accumulation=result.accumulation, lowered=True))


@dataclass(slots=True)
class TrialRecord:
    """A trial and its slices so far."""

    spec: TrialSpec
    state: TrialState = "running"
    slices: list[SliceResult] = field(default_factory=list)

    @property
    def steps_done(self) -> int:
        """Optimizer steps that are finished and kept."""
        return self.slices[-1].to_step if self.slices else 0

    @property
    def loss(self) -> float:
        """Validation loss at the last finished rung; infinite when there is none."""
        last = self.slices[-1].validation_loss if self.slices else None
        return float("inf") if last is None else last


def by_number(records: Iterable[TrialRecord], number: int) -> TrialRecord:
    """The trial of that number."""
    return next(record for record in records if record.spec.number == number)
