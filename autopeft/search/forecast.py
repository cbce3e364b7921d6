"""How many trials a budget buys: the scheduler itself, run ahead on made-up losses and planned costs."""

import random
from dataclasses import dataclass

from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec, by_number
from autopeft.search.costs import CONFIRM_SHARE, slice_seconds
from autopeft.search.scheduler import Start, View
from autopeft.search.schedulers import SCHEDULERS

# Beyond this the answer is "very many"; the forecast itself must stay quick.
MOST_TRIALS = 400


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a search would do.

    Attributes:
        trials: configurations begun; `MOST_TRIALS` where there would be more.
        slices: pieces of training in the search stage.
        steps: optimizer steps in it.
        seconds: wall clock until the end; None where only counts are limited.
    """

    trials: int
    slices: int
    steps: int
    seconds: float | None


def forecast(request: SearchRequest, plan: TrainingPlan, spent_seconds: float) -> Forecast:
    """Run the scheduler ahead; failures, feasibility and learning are left out."""
    wall = request.wall_seconds
    seconds = float("inf") if wall is None else (wall * (1 - CONFIRM_SHARE) - spent_seconds) * request.slots
    tokens = float("inf") if request.tokens is None else request.tokens * (1 - CONFIRM_SHARE)
    generator = random.Random(request.seed)
    records: list[TrialRecord] = []
    spent, steps, slices = 0.0, 0, 0
    most = min(request.trials or MOST_TRIALS, MOST_TRIALS)
    while True:
        number = len(records)
        view = View(records, plan.rung_steps, number if number < most else None, objectives=("loss",))
        decision = SCHEDULERS[request.scheduler](view)
        if decision is None:
            break
        if isinstance(decision, Start):
            record = TrialRecord(TrialSpec(number, "", {}, 0), "paused")
        else:
            record = by_number(records, decision.number)
        cost = slice_seconds("", record.steps_done, decision.to_step, plan.rung_rows, [], plan)
        further = decision.to_step - record.steps_done
        if records and (spent + cost > seconds or (steps + further) * plan.step_tokens > tokens):
            break
        if isinstance(decision, Start):
            records.append(record)
        record.slices.append(_made_up(decision.to_step, generator.random()))
        spent, steps, slices = spent + cost, steps + further, slices + 1
    return Forecast(len(records), slices, steps, wall)


def _made_up(step: int, loss: float) -> SliceResult:
    return SliceResult(step, loss, 0.0, None, None, (), 0.0, 0.0, 0.0)
