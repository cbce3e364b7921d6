"""What `recommend` answers: ranked candidates, and what was left out and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from autopeft.domain.knobs import Value
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.rules import Reason

Basis = Literal["near", "variant", "unknown"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A method that fits, with what it costs and how to start.

    Attributes:
        rank: 1 is the one to try first.
        method: id.
        title: for people.
        score: the sum that the ranking sorts by; comparable within one answer only.
        fits: whether `reserved_bytes` plus the device context stay within the budget; None without a budget.
        estimate: the predicted cost of a step of that shape.
        reasons: the rules that moved it, each with its source.
        start: starting hyperparameters.
        shape: of the step that the estimate is of: micro-batch, accumulation, recomputation and precision of the base,
            chosen for the budget.
        basis: what its place rests on: near (published measurements of it near this situation), variant (of a method
            with the same implementation), or unknown (neither).
        uncertainty: of the score, in points: one standard deviation of the expected quality.
        ranges: knob -> least and greatest value worth a trial, where it has a range.
    """

    rank: int
    method: str
    title: str
    score: float
    fits: bool | None
    estimate: MemoryEstimate
    reasons: tuple[Reason, ...]
    start: Mapping[str, Value]
    shape: StepShape
    basis: Basis = "unknown"
    uncertainty: float = 0.0
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The estimate's fields with rank, score, fits, batch, reasons, start and ranges beside them.

        `batch_size` sequences in a forward pass, `accumulation` of those in an optimizer step.
        """
        return self.estimate.to_dict() | {
            "rank": self.rank,
            "method": self.method,
            "title": self.title,
            "score": round(self.score, 4),
            "fits": self.fits,
            "batch_size": self.shape.batch_size,
            "accumulation": self.shape.accumulation,
            "gradient_checkpointing": self.shape.gradient_checkpointing,
            "dtype": self.shape.dtype,
            "quantization": self.shape.quantization,
            "basis": self.basis,
            "uncertainty": round(self.uncertainty, 4),
            "reasons": [reason.to_dict() for reason in self.reasons],
            "start": dict(self.start),
            "ranges": {name: list(bounds) for name, bounds in self.ranges.items()},
        }


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A method that was left out, with the reasons and, where one could be made, its estimate."""

    method: str
    title: str
    reasons: tuple[Reason, ...]
    estimate: MemoryEstimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the estimate is null where none could be made."""
        return {
            "method": self.method,
            "title": self.title,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "estimate": self.estimate.to_dict() if self.estimate else None,
        }


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer for one model, task and budget.

    Attributes:
        model: name of the base model.
        task: task id.
        budget_bytes: what training may use on the device, or None.
        candidates: ranked, the best first.
        excluded: with reasons.
        facts: the facts that the rules were asked with.
        advice: what to consider beside the ranking, such as full fine-tuning or another base model.
        notes: what was read from the data, one sentence each.
    """

    model: str
    task: str
    budget_bytes: int | None
    candidates: tuple[Candidate, ...]
    excluded: tuple[Exclusion, ...]
    facts: Mapping[str, Any]
    advice: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, under the public names of `recommend --format json`."""
        return {
            "model": self.model,
            "task": self.task,
            "budget_bytes": self.budget_bytes,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "excluded": [exclusion.to_dict() for exclusion in self.excluded],
            "facts": dict(self.facts),
            "advice": [reason.to_dict() for reason in self.advice],
            "notes": list(self.notes),
        }
