"""What a piece of the search will take, from the probe and from what was measured since.

Only used to end stages in time; which configuration is trained further never depends on a clock.
"""

from collections.abc import Iterable, Iterator
from heapq import heapreplace
from statistics import median

from autopeft.domain.plan import TrainingPlan
from autopeft.domain.trials import SliceResult, TrialRecord

# Of the budget, for training the top and the control to full length.
CONFIRM_SHARE = 0.4
# Wrapping, checkpoint and storage of one slice, beside its training and evaluation; measured on the demo.
SLICE_OVERHEAD_SECONDS = 0.3
# float32 evaluation beside the training's autocast; measured 1.7 on the demo's encoder.
FLOAT32_FACTOR = 2.0
# Machines are shared: of the slices, the latest say best how fast this one is now.
LATEST = 8


def step_seconds(method: str, records: Iterable[TrialRecord], plan: TrainingPlan) -> float:
    """Seconds of one optimizer step of `method`: measured if it ran, else the probe's."""
    measured = [
        piece.train_seconds / (piece.to_step - begun)
        for record in records
        if record.spec.method == method
        for begun, piece in _pieces(record)
    ]
    return median(measured[-LATEST:]) if measured else plan.step_seconds or 0.0


def evaluation_seconds(rows: int, plan: TrainingPlan, records: Iterable[TrialRecord] = ()) -> float:
    """Seconds of evaluating `rows` rows under the training's autocast: as in the latest rungs, else the probe's."""
    measured = [
        piece.evaluation_seconds / plan.rung_rows
        for record in records
        for _, piece in _pieces(record)
        if piece.to_step < plan.full_steps
    ]
    return rows * (median(measured[-LATEST:]) if measured else plan.evaluation_row_seconds or 0.0)


def slice_seconds(
    method: str, from_step: int, to_step: int, rows: int, records: Iterable[TrialRecord], plan: TrainingPlan
) -> float:
    """Seconds of one slice that trains `from_step..to_step` and evaluates `rows` rows."""
    known = list(records)
    training = step_seconds(method, known, plan) * (to_step - from_step)
    writing = rows * (plan.writing_row_seconds or 0.0) if to_step == plan.full_steps else 0.0
    return training + evaluation_seconds(rows, plan, known) + writing + SLICE_OVERHEAD_SECONDS


def tested_seconds(rows: int, plan: TrainingPlan, records: Iterable[TrialRecord] = ()) -> float:
    """Seconds of measuring one model on `rows` test rows, in float32, with the answers that it writes."""
    writing = rows * (plan.writing_row_seconds or 0.0)
    return (evaluation_seconds(rows, plan, records) + writing) * FLOAT32_FACTOR


def makespan_seconds(costs: Iterable[float], workers: int) -> float:
    """How long `workers` take over pieces of work, the longest first, each taken by whoever is free."""
    free = [0.0] * workers
    for cost in sorted(costs, reverse=True):
        heapreplace(free, free[0] + cost)
    return max(free)


def _pieces(record: TrialRecord) -> Iterator[tuple[int, SliceResult]]:
    """(step before it, slice) pairs."""
    begun = 0
    for piece in record.slices:
        if piece.to_step > begun:
            yield begun, piece
        begun = piece.to_step
