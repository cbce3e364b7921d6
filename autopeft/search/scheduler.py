"""Asynchronous successive halving on resumable rungs: pure decisions.

Source: ASHA (arXiv:1810.05934, algorithm 2), with promotion as resumption of the paused trial.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autopeft.domain.trials import TrialRecord

REDUCTION_FACTOR = 3
LEAST_RUNG_STEPS = 12


@dataclass(frozen=True, slots=True)
class Advance:
    """Train this trial on, up to `to_step`."""

    number: int
    to_step: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start a new trial and train it to `to_step`."""

    to_step: int


Decision = Advance | Start | None


def rung_steps(full_steps: int, *, factor: int = REDUCTION_FACTOR, least: int = LEAST_RUNG_STEPS) -> tuple[int, ...]:
    """At most three rungs, each `factor` times the one before, the first no shorter than `least` steps."""
    rungs = [full_steps]
    while len(rungs) < 3 and rungs[0] >= factor * least:
        rungs.insert(0, -(-rungs[0] // factor))
    return tuple(rungs)


def decide(
    trials: Sequence[TrialRecord], rungs: Sequence[int], *, may_start: bool, factor: int = REDUCTION_FACTOR
) -> Decision:
    """What to do next: the highest possible promotion, else a new trial, else nothing (None).

    An unfinished slice comes first, so that a resumed search goes on where it was cut off. Trials are
    compared by validation loss with those that reached the same rung; failed ones count as reached and worst.
    """
    for trial in trials:
        if trial.state == "running" and trial.steps_done == 0:
            return Advance(trial.spec.number, rungs[0])
    for level in range(len(rungs) - 2, -1, -1):
        best = _promotable(trials, rungs[level], factor)
        if best is not None:
            return Advance(best.spec.number, rungs[level + 1])
    return Start(rungs[0]) if may_start else None


def _promotable(trials: Sequence[TrialRecord], rung: int, factor: int) -> TrialRecord | None:
    """The best trial paused at `rung` among the top 1/factor of all that reached it."""
    reached = [trial for trial in trials if trial.steps_done >= rung or trial.state in ("failed", "oom")]
    alive = [trial for trial in reached if trial.state not in ("failed", "oom")]
    ranked = sorted(alive, key=lambda trial: (loss_at(trial, rung), trial.spec.number))
    for trial in ranked[: len(reached) // factor]:
        if trial.steps_done == rung:
            return trial
    return None


def loss_at(trial: TrialRecord, rung: int) -> float:
    """The validation loss of `trial` at `rung`; infinite where it has none."""
    losses = (piece.validation_loss for piece in trial.slices if piece.to_step == rung)
    return next((loss for loss in losses if loss is not None), float("inf"))


def ranking(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """All trials with a finished rung, the most promising first: by rung reached, then by loss there.

    Within successive halving a trial that got further had beaten the ones that did not.
    """
    scored = [trial for trial in trials if trial.slices and trial.state not in ("failed", "oom")]
    return sorted(scored, key=lambda trial: (-trial.steps_done, trial.loss, trial.spec.number))
