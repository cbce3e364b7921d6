"""What a budget makes of the plan: full length, how many starting points, and whether it pays for a trial at all."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from autopeft.api.planning import Choice, with_length
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import TrialSpec
from autopeft.domain.units import format_duration
from autopeft.errors import RunError, UsageError
from autopeft.search.confirm_stage import SAFETY, TESTED_ENTRIES
from autopeft.search.context import REPORT_SECONDS
from autopeft.search.costs import (
    CONFIRM_SHARE,
    FLOAT32_FACTOR,
    SLICE_OVERHEAD_SECONDS,
    slice_seconds,
    tested_seconds,
)
from autopeft.search.sampler import Proposal
from autopeft.search.scheduler import LEAST_RUNG_STEPS
from autopeft.training.device_memory import release_memory
from autopeft.training.probe import Probe, probe
from autopeft.training.worker import Worker


def fit_to_budget(
    request: SearchRequest,
    plan: TrainingPlan,
    worker: Worker,
    control: TrialSpec,
    spent_seconds: float,
    note: Callable[[str], None],
    *,
    measure: Callable[[], Probe] | None = None,
) -> TrainingPlan:
    """Time one step and, unless the user fixed it, shorten the full length until the confirm stage fits.

    Args:
        request: with the budget.
        plan: by the data alone.
        worker: that will run the slices.
        control: the configuration whose step is timed.
        spent_seconds: of the budget, so far.
        note: is told what was measured and decided.
        measure: times the step in the place of this process, where that cannot.

    Raises:
        UsageError: the budget does not even pay for the shortest run.
        RunError: the step does not fit into the device's memory.
    """
    if request.wall_seconds is None:
        return plan
    measured = _probed(worker, control) if measure is None else measure()
    timed = replace(
        plan,
        step_seconds=measured.step_seconds,
        evaluation_row_seconds=measured.evaluation_row_seconds,
        writing_row_seconds=measured.writing_row_seconds,
    )
    if request.full_steps is not None:
        _require_a_trial(request, timed, worker.data.rows, spent_seconds)
        return timed
    affordable = affordable_steps(request, measured, worker.data.rows)
    if affordable < LEAST_RUNG_STEPS:
        _require_a_trial(request, timed, worker.data.rows, spent_seconds)
        note("this machine is too slow for the budget: not every confirming run will be trained to full length")
    full = min(plan.full_steps, max(affordable, LEAST_RUNG_STEPS))
    note(
        f"one step takes {measured.step_seconds:.2f} s here: full length is {full} steps of {plan.batch_size} rows, "
        f"so that confirming takes at most {CONFIRM_SHARE:.0%} of the budget"
    )
    return with_length(timed, full, worker.data.rows["validation"])


def _probed(worker: Worker, control: TrialSpec) -> Probe:
    """The probe; where memory runs out, once more with micro-batches half as large, as in a trial."""
    try:
        return probe(worker, control)
    except torch.OutOfMemoryError:
        lowered = control.split.halved(worker.plan.batch_size)
    release_memory(worker.device)
    if lowered is None:
        raise RunError(
            "the step that is timed does not fit into the device's memory",
            hint="say with --gpu-mem how much there is, or lower --batch-size or --max-length",
        )
    return _probed(worker, replace(control, split=lowered))


def _require_a_trial(request: SearchRequest, plan: TrainingPlan, rows: dict[str, int], spent_seconds: float) -> None:
    """See that the budget pays for one shortest run, its evaluations and the report.

    Raises:
        UsageError: it does not.
    """
    steps = min(plan.rung_steps[0], LEAST_RUNG_STEPS) if request.full_steps is None else plan.rung_steps[0]
    shortest = slice_seconds("", 0, steps, plan.rung_rows, [], plan)
    test = tested_seconds(rows["test"], plan)
    needed = (shortest + test + REPORT_SECONDS) * SAFETY
    budget = request.wall_seconds or 0.0
    if budget < needed:
        raise UsageError(
            f"a budget of {format_duration(budget)} does not pay for one short trial, its test and the report",
            hint=f"give at least {format_duration(max(10.0, spent_seconds + needed))}, or cap --max-evaluation-rows",
        )


def affordable_steps(request: SearchRequest, measured: Probe, rows: dict[str, int]) -> int:
    """Full length such that every confirm run fits into its share of the budget."""
    budget = (request.wall_seconds or 0.0) * CONFIRM_SHARE
    runs = -(-confirm_runs(request) // request.slots)
    per_run = (budget - _fixed_seconds(measured, rows, runs)) / runs
    return int(per_run / (measured.step_seconds * SAFETY))


def within_tokens(request: SearchRequest, plan: TrainingPlan, validation_rows: int) -> TrainingPlan:
    """The plan, shortened until the confirm stage takes no more than its share of the token budget.

    Raises:
        UsageError: the budget does not pay for the shortest runs.
    """
    if request.tokens is None:
        return plan
    runs = (request.top + 1) * request.confirm_seeds
    affordable = int(request.tokens * CONFIRM_SHARE / (runs * plan.step_tokens))
    least = LEAST_RUNG_STEPS if request.full_steps is None else request.full_steps
    if affordable < least:
        needed = math.ceil(least * runs * plan.step_tokens / CONFIRM_SHARE)
        raise UsageError(
            f"a budget of {request.tokens:,} tokens does not pay for confirming with {runs} runs of {least} steps",
            hint=f"give at least {needed:,}, or lower --top, --confirm-seeds or --batch-size",
        )
    return plan if request.full_steps else with_length(plan, min(plan.full_steps, affordable), validation_rows)


def confirm_runs(request: SearchRequest) -> int:
    """Runs of the confirm stage: the top and the control on every seed, less the top's runs of the search's own seed.

    Those the search trains to full length itself, when it promotes them to the last rung.
    """
    return (request.top + 1) * request.confirm_seeds - request.top


def _fixed_seconds(measured: Probe, rows: dict[str, int], runs: int) -> float:
    """Evaluations, checkpoints and the report: what the confirm stage takes beside training."""
    row_seconds = measured.evaluation_row_seconds + measured.writing_row_seconds
    validation = rows["validation"] * row_seconds
    test = rows["test"] * row_seconds * FLOAT32_FACTOR * TESTED_ENTRIES
    return runs * (validation + SLICE_OVERHEAD_SECONDS) + test + REPORT_SECONDS


def trials_that_fit(seconds: float, plan: TrainingPlan) -> int:
    """How many first rungs a time of one worker buys."""
    row_seconds = plan.evaluation_row_seconds or 0.0
    first = plan.rung_steps[0] * (plan.step_seconds or 0.0) + plan.rung_rows * row_seconds + SLICE_OVERHEAD_SECONDS
    return max(1, int(seconds / first))


def cap_starts(choice: Choice, request: SearchRequest, plan: TrainingPlan, remaining_seconds: float) -> Choice:
    """Under a time budget, at most half of the first rungs go to starting points; the rest to the sampler."""
    if request.wall_seconds is None:
        return choice
    searching = remaining_seconds - request.wall_seconds * CONFIRM_SHARE
    most = max(1, trials_that_fit(searching * request.slots, plan) // 2)
    return replace(choice, starts=_first(choice.starts, most))


def _first(starts: Sequence[Proposal], count: int) -> tuple[Proposal, ...]:
    return tuple(starts[:count])
