"""What is decided before the first trial: methods, starting points, full length, rungs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from autopeft.api.preparation import Subject
from autopeft.catalog.contents import Catalog
from autopeft.data.batches import steps_per_epoch
from autopeft.data.task_data import TaskData
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.recommendation import Candidate, Recommendation
from autopeft.domain.trials import Split, TrialSpec
from autopeft.domain.units import format_duration
from autopeft.errors import NothingFitsError, UsageError
from autopeft.search.confirm_stage import SAFETY, TESTED_ENTRIES
from autopeft.search.context import REPORT_SECONDS
from autopeft.search.costs import (
    CONFIRM_SHARE,
    FLOAT32_FACTOR,
    SLICE_OVERHEAD_SECONDS,
    evaluation_seconds,
    slice_seconds,
)
from autopeft.search.sampler import Proposal
from autopeft.search.scheduler import LEAST_RUNG_STEPS, rung_steps
from autopeft.training.probe import Probe, probe
from autopeft.training.worker import Worker

# The survey authors' protocol: three epochs, but never under 100 updates (run_grid_search.py).
EPOCHS = 3
LEAST_FULL_STEPS = 100
LEAST_RUNG_ROWS = 256
CONTROL = "lora"
# A method this many score points (about as many findings) below the best is searched only when it is named.
GREATEST_SCORE_GAP = 2.5


@dataclass(frozen=True, slots=True)
class Choice:
    """Which methods are searched, and from where.

    Attributes:
        searched: ids, the recommender's first first.
        starts: one proposal a method, in that order.
        control: plain LoRA at its starting values; None where it does not fit.
        excluded: what is not searched, with reasons: entries of `excluded` in result.json.
    """

    searched: tuple[str, ...]
    starts: tuple[Proposal, ...]
    control: Proposal | None
    excluded: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "searched": list(self.searched),
            "starts": [_plain(start) for start in self.starts],
            "control": _plain(self.control) if self.control else None,
            "excluded": list(self.excluded),
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Choice":
        """The inverse of `to_dict`."""
        control = plain["control"]
        return cls(
            tuple(plain["searched"]),
            tuple(Proposal(one["method"], one["hyperparameters"]) for one in plain["starts"]),
            Proposal(control["method"], control["hyperparameters"]) if control else None,
            tuple(plain["excluded"]),
        )


def _plain(proposal: Proposal) -> dict[str, Any]:
    return {"method": proposal.method, "hyperparameters": dict(proposal.hyperparameters)}


def choose(request: SearchRequest, recommendation: Recommendation, catalog: Catalog) -> Choice:
    """Methods and starting points from the recommender's answer; controls only where they were named."""
    named = {catalog.method(name).id for name in request.methods}
    candidates = [
        candidate
        for candidate in recommendation.candidates
        if candidate.method in named or (not named and catalog.methods[candidate.method].role == "candidate")
    ]
    best_score = max((candidate.score for candidate in candidates), default=0.0)
    ranked = [c for c in candidates if named or c.score > best_score - GREATEST_SCORE_GAP]
    starts = tuple(Proposal(candidate.method, dict(candidate.start)) for candidate in ranked)
    if request.trials is not None:
        # At least half of few trials go to the sampler or to further methods, whichever there is.
        starts = starts[: max(1, -(-request.trials // 2))] if len(starts) > request.trials else starts
    if not starts:
        _refuse(request, recommendation, named)
    control = next((Proposal(c.method, dict(c.start)) for c in recommendation.candidates if c.method == CONTROL), None)
    excluded = tuple(
        {"method": one.method, "title": one.title, "reasons": [reason.text for reason in one.reasons]}
        for one in recommendation.excluded
        if not named or one.method in named
    )
    advised_against = tuple(_advised_against(candidate) for candidate in candidates if candidate not in ranked)
    return Choice(tuple(candidate.method for candidate in ranked), starts, control, excluded + advised_against)


def _refuse(request: SearchRequest, recommendation: Recommendation, named: set[str]) -> NoReturn:
    """Nothing of what was asked for can be searched.

    Raises:
        NothingFitsError: always, with the first reason.
    """
    why = [f"{one.title}: {one.reasons[0].text}" for one in recommendation.excluded if one.method in named]
    raise NothingFitsError(
        f"none of {', '.join(request.methods) or 'the methods'} can be searched here: {'; '.join(why)}",
        hint="leave --methods out, or choose among "
        + ", ".join(candidate.method for candidate in recommendation.candidates[:3]),
    )


def _advised_against(candidate: Candidate) -> dict[str, Any]:
    why = [f"{reason.text} [{reason.rule}]" for reason in candidate.reasons if reason.score <= -1]
    text = f"not searched unless named: the recommender ranks it last here. {' '.join(why)}".strip()
    return {"method": candidate.method, "title": candidate.title, "reasons": [text]}


def provisional_plan(request: SearchRequest, subject: Subject, data: TaskData, autocast: str | None) -> TrainingPlan:
    """The plan by the data alone; a time budget may shorten it after the probe."""
    batch_size = request.batch_size or subject.task.default_batch_size
    epoch = steps_per_epoch(data.rows["train"], batch_size)
    full = request.full_steps or max(EPOCHS * epoch, LEAST_FULL_STEPS)
    return _with_length(
        TrainingPlan(
            batch_size=batch_size,
            full_steps=full,
            rung_steps=(full,),
            seeds=tuple(request.seed + offset for offset in range(request.confirm_seeds)),
            autocast=autocast,
            rung_rows=LEAST_RUNG_ROWS,
            # Token tasks keep the logits of every token: what fits in training must fit here too.
            evaluation_batch_size=max(batch_size, 32) if data.label_names else batch_size,
        ),
        full,
        data.rows["validation"],
    )


def _with_length(plan: TrainingPlan, full_steps: int, validation_rows: int) -> TrainingPlan:
    rungs = rung_steps(full_steps)
    rows = min(validation_rows, max(LEAST_RUNG_ROWS, rungs[0] * plan.batch_size))
    return replace(plan, full_steps=full_steps, rung_steps=rungs, rung_rows=rows)


def evaluation_within(plan: TrainingPlan, splits: Sequence[Split], *, keeps_logits: bool) -> TrainingPlan:
    """The plan with evaluation batches that fit where the smallest micro-batch of training does.

    Args:
        plan: by the data alone.
        splits: of the configurations that are tried first.
        keeps_logits: whether an evaluation keeps the logits of every token, as a training step does; else it needs
            far less than one.
    """
    if not keeps_logits:
        return plan
    least = min(split.micro_batch_size(plan.batch_size) for split in splits)
    return replace(plan, evaluation_batch_size=min(plan.evaluation_batch_size, least))


def fit_to_budget(
    request: SearchRequest,
    plan: TrainingPlan,
    worker: Worker,
    control: TrialSpec,
    spent_seconds: float,
    note: Callable[[str], None],
) -> TrainingPlan:
    """Time one step and, unless the user fixed it, shorten the full length until the confirm stage fits.

    Args:
        request: with the budget.
        plan: by the data alone.
        worker: that will run the slices.
        control: the configuration whose step is timed.
        spent_seconds: of the budget, so far.
        note: is told what was measured and decided.

    Raises:
        UsageError: the budget does not even pay for the shortest run.
    """
    if request.budget_seconds is None:
        return plan
    measured = probe(worker, control)
    timed = replace(plan, step_seconds=measured.step_seconds, evaluation_row_seconds=measured.evaluation_row_seconds)
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
    return _with_length(timed, full, worker.data.rows["validation"])


def _require_a_trial(request: SearchRequest, plan: TrainingPlan, rows: dict[str, int], spent_seconds: float) -> None:
    """See that the budget pays for one shortest run, its evaluations and the report.

    Raises:
        UsageError: it does not.
    """
    steps = min(plan.rung_steps[0], LEAST_RUNG_STEPS) if request.full_steps is None else plan.rung_steps[0]
    shortest = slice_seconds("", 0, steps, plan.rung_rows, [], plan)
    test = evaluation_seconds(rows["test"], plan) * FLOAT32_FACTOR
    needed = (shortest + test + REPORT_SECONDS) * SAFETY
    budget = request.budget_seconds or 0.0
    if budget < needed:
        raise UsageError(
            f"a budget of {format_duration(budget)} does not pay for one short trial, its test and the report",
            hint=f"give at least {format_duration(max(10.0, spent_seconds + needed))}, or cap --max-evaluation-rows",
        )


def affordable_steps(request: SearchRequest, measured: Probe, rows: dict[str, int]) -> int:
    """Full length such that every confirm run fits into its share of the budget."""
    budget = (request.budget_seconds or 0.0) * CONFIRM_SHARE
    runs = confirm_runs(request)
    per_run = (budget - _fixed_seconds(measured, rows, runs)) / runs
    return int(per_run / (measured.step_seconds * SAFETY))


def confirm_runs(request: SearchRequest) -> int:
    """Runs of the confirm stage: the top and the control on every seed, less the top's runs of the search's own seed.

    Those the search trains to full length itself, when it promotes them to the last rung.
    """
    return (request.top + 1) * request.confirm_seeds - request.top


def _fixed_seconds(measured: Probe, rows: dict[str, int], runs: int) -> float:
    """Evaluations, checkpoints and the report: what the confirm stage takes beside training."""
    validation = rows["validation"] * measured.evaluation_row_seconds
    test = rows["test"] * measured.evaluation_row_seconds * FLOAT32_FACTOR * TESTED_ENTRIES
    return runs * (validation + SLICE_OVERHEAD_SECONDS) + test + REPORT_SECONDS


def trials_that_fit(seconds: float, plan: TrainingPlan) -> int:
    """How many first rungs a time buys."""
    row_seconds = plan.evaluation_row_seconds or 0.0
    first = plan.rung_steps[0] * (plan.step_seconds or 0.0) + plan.rung_rows * row_seconds + SLICE_OVERHEAD_SECONDS
    return max(1, int(seconds / first))


def cap_starts(choice: Choice, request: SearchRequest, plan: TrainingPlan, remaining_seconds: float) -> Choice:
    """Under a time budget, at most half of the first rungs go to starting points; the rest to the sampler."""
    if request.budget_seconds is None:
        return choice
    searching = remaining_seconds - request.budget_seconds * CONFIRM_SHARE
    most = max(1, trials_that_fit(searching, plan) // 2)
    return replace(choice, starts=_first(choice.starts, most))


def _first(starts: Sequence[Proposal], count: int) -> tuple[Proposal, ...]:
    return tuple(starts[:count])
