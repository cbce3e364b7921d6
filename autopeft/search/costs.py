"""What a piece of the search will take, from the probe and from what was measured since.

Only used to end stages in time; which configuration is trained further never depends on a clock.
"""

from collections.abc import Iterable
from statistics import median

from autopeft.domain.plan import TrainingPlan
from autopeft.domain.trials import TrialRecord

# Of the budget, for training the top and the control to full length.
CONFIRM_SHARE = 0.4
# Wrapping, checkpoint and storage of one slice, beside its training and evaluation.
SLICE_OVERHEAD_SECONDS = 0.3
# float32 evaluation beside the training's autocast; measured 1.7 on the demo's encoder.
FLOAT32_FACTOR = 2.0


def step_seconds(method: str, records: Iterable[TrialRecord], plan: TrainingPlan) -> float:
    """Seconds of one optimizer step of `method`: measured if it ran, else the probe's."""
    measured = []
    for record in records:
        done = 0
        for piece in record.slices:
            if record.spec.method == method and piece.to_step > done:
                measured.append(piece.train_seconds / (piece.to_step - done))
            done = piece.to_step
    return median(measured) if measured else plan.step_seconds or 0.0


def slice_seconds(
    method: str, from_step: int, to_step: int, rows: int, records: Iterable[TrialRecord], plan: TrainingPlan
) -> float:
    """Seconds of one slice that trains `from_step..to_step` and evaluates `rows` rows."""
    training = step_seconds(method, records, plan) * (to_step - from_step)
    return training + evaluation_seconds(rows, plan) + SLICE_OVERHEAD_SECONDS


def evaluation_seconds(rows: int, plan: TrainingPlan) -> float:
    """Seconds of evaluating `rows` rows under the training's autocast."""
    return rows * (plan.evaluation_row_seconds or 0.0)
