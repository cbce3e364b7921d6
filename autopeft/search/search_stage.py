"""The search stage: ask the scheduler, run the slice, keep the result; until nothing is left or affordable."""

from autopeft.domain.trials import Split, TrialRecord, TrialSpec
from autopeft.errors import RunError
from autopeft.search.confirm_stage import confirm_seconds
from autopeft.search.context import SearchContext
from autopeft.search.costs import slice_seconds
from autopeft.search.keep import keep_slice
from autopeft.search.sampler import Proposal, propose
from autopeft.search.scheduler import Advance, Start, decide, ranking
from autopeft.search.storage import StudyMirror
from autopeft.training.slice import SliceAbandoned

# A method whose first so many trials all failed is not proposed again.
FAILURES_UNTIL_DROPPED = 2
PROPOSAL_ATTEMPTS = 20


def search_stage(context: SearchContext) -> list[TrialRecord]:
    """Run the stage from wherever the run directory stands; gives all trials.

    Raises:
        RunError: every trial failed, or the disk is full.
    """
    records = [folder.record() for folder in context.run.trials()]
    mirror = StudyMirror(context.run.path / "study.db", {i: context.methods[i] for i in context.searched})
    mirror.started(records)
    while not context.stop.requested:
        decision = decide(records, context.plan.rung_steps, may_start=_may_start(context, records))
        if decision is None or not _affordable(context, decision, records):
            break
        if isinstance(decision, Start):
            record = _start(context, records)
            if record is None:
                break
            records.append(record)
            mirror.started(records)
        else:
            record = records[decision.number]
        if not _advance(context, record, decision.to_step, records):
            break
    if not context.stop.requested:
        _finish(context, records, mirror)
    return records


def _may_start(context: SearchContext, records: list[TrialRecord]) -> bool:
    limit = context.request.trials
    return limit is None or len(records) < limit


def _affordable(context: SearchContext, decision: Advance | Start, records: list[TrialRecord]) -> bool:
    """Whether the slice leaves the confirm stage its time; the first trial always starts."""
    if context.request.budget_seconds is None or not records:
        return True
    if isinstance(decision, Start):
        method, done = _next_method(context, records), 0
    else:
        method, done = records[decision.number].spec.method, records[decision.number].steps_done
    rows = context.validation_rows if decision.to_step == context.plan.full_steps else context.plan.rung_rows
    cost = slice_seconds(method, done, decision.to_step, rows, records, context.plan)
    return cost <= context.remaining_seconds - confirm_seconds(context, records)


def _next_method(context: SearchContext, records: list[TrialRecord]) -> str:
    if len(records) < len(context.starts):
        return context.starts[len(records)].method
    return records[-1].spec.method


def _start(context: SearchContext, records: list[TrialRecord]) -> TrialRecord | None:
    """Write the next trial's spec; None when no configuration fits."""
    number = len(records)
    if number < len(context.starts):
        proposal, origin = context.starts[number], "start"
    else:
        found = _feasible_proposal(context, records)
        if found is None:
            context.observer.note("no further configuration is predicted to fit: the search ends here")
            return None
        proposal, origin = found, "sampler"
    split = context.split(proposal) or Split()
    spec = TrialSpec(number, proposal.method, proposal.hyperparameters, context.plan.seeds[0], split)
    context.run.trial(number).create(spec, origin)
    return TrialRecord(spec)


def _feasible_proposal(context: SearchContext, records: list[TrialRecord]) -> Proposal | None:
    methods = [context.methods[name] for name in context.searched]
    dropped = dropped_methods(records)
    if len(dropped) == len(methods):
        return None
    for attempt in range(PROPOSAL_ATTEMPTS):
        number = len(records) + attempt * 1_000_000
        proposal = propose(records, methods, number=number, seed=context.request.seed, excluded=dropped)
        if context.split(proposal) is not None:
            return proposal
    return None


def dropped_methods(records: list[TrialRecord]) -> list[str]:
    """Methods that failed at least twice and never finished a rung."""
    failures: dict[str, int] = {}
    for record in records:
        failures[record.spec.method] = failures.get(record.spec.method, 0) + (record.state in ("failed", "oom"))
    succeeded = {record.spec.method for record in records if record.slices}
    return sorted(m for m, count in failures.items() if count >= FAILURES_UNTIL_DROPPED and m not in succeeded)


def _advance(context: SearchContext, record: TrialRecord, to_step: int, records: list[TrialRecord]) -> bool:
    """Run one slice and keep it; False when it was abandoned because time ran out."""
    spec = record.spec
    done = sum(len(r.slices) for r in records)
    context.show(
        "search", f"trial {spec.number}: {spec.method} to step {to_step}", done, records, _best(records, context.metric)
    )
    folder = context.run.trial(spec.number)
    reserve = confirm_seconds(context, records)

    def out_of_time() -> bool:
        return context.remaining_seconds < reserve and len(ranking(records)) > 0

    with context.ledger.spend("search"):
        try:
            result = context.executor.run_slice(
                spec, folder.path, from_step=record.steps_done, to_step=to_step, should_stop=out_of_time
            )
        except SliceAbandoned:
            return False
        keep_slice(folder, record, result)
    if record.spec != spec:
        rows = record.spec.split.micro_batch_size(context.plan.batch_size)
        context.observer.note(f"trial {spec.number} ran out of memory: from here on {rows} rows at a time")
    context.ledger.book("search", 0.0, compute_seconds=result.train_seconds + result.evaluation_seconds)
    if result.error:
        context.observer.note(f"trial {spec.number} ({spec.method}) {result.failure}: {result.error}")
    return True


def _best(records: list[TrialRecord], metric_name: str) -> str:
    ranked = ranking(records)
    if not ranked:
        return ""
    best = ranked[0]
    metric = best.slices[-1].validation_metric
    shown = f", {metric_name} {metric:.3f}" if metric is not None else ""
    return f"trial {best.spec.number} {best.spec.method}: loss {best.loss:.3f}{shown} at step {best.steps_done}"


def _finish(context: SearchContext, records: list[TrialRecord], mirror: StudyMirror) -> None:
    mirror.finished(records)
    if records and not ranking(records):
        first = next((folder.slices()[0].error for folder in context.run.trials() if folder.slices()), "unknown")
        raise RunError(f"every trial failed; the first: {first}", hint=f"see {context.run.path}/trials/*/error.txt")
