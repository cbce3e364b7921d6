"""The product's schedulers and samplers on recorded curves: what `autopeft search` decides, on a simulated clock."""

from collections.abc import Sequence
from dataclasses import replace

from autopeft.catalog import load_catalog
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import TrainingPlan
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec, by_number
from autopeft.search.costs import step_seconds
from autopeft.search.sampler import Proposal, Sampling, propose
from autopeft.search.scheduler import Start, View
from autopeft.search.schedulers import SCHEDULERS
from benchmarks.recorded import Curve, Session, Table


def methods_of(table: Table) -> list[MethodSpec]:
    """The catalogue's methods with the ranges that were recorded."""
    return [_ranged(load_catalog().method(name), table) for name in sorted(table.knobs)]


def _ranged(method: MethodSpec, table: Table) -> MethodSpec:
    recorded = {knob["name"]: knob for knob in table.knobs[method.id]}
    knobs = [replace(k, low=recorded[k.name]["low"], high=recorded[k.name]["high"]) for k in method.knobs]
    return replace(method, knobs=tuple(knobs))


def own_search(
    session: Session,
    seed: int,
    rungs: tuple[int, ...],
    methods: Sequence[MethodSpec],
    *,
    scheduler: str,
    sampler: str,
    starts: bool,
) -> None:
    """Search until the session's time is over, one slice at a time.

    Args:
        session: pays.
        seed: of the search.
        rungs: steps, the last at full length.
        methods: of the table.
        scheduler: its name.
        sampler: its name.
        starts: whether the recommender's candidates go first, as in the product; its peers know none.
    """
    first = [Proposal(one["method"], one["hyperparameters"]) for one in session.table.starts] if starts else []
    plan = TrainingPlan(
        8, rungs[-1], rungs, (0,), None, rung_rows=1, step_seconds=session.table.full_seconds / rungs[-1]
    )
    records: list[TrialRecord] = []
    sampling = Sampling(sampler, ("loss",), seed, cost=lambda method: step_seconds(method, records, plan))
    curves: dict[int, Curve] = {}
    while not session.over:
        view = View(
            records,
            rungs,
            len(records),
            cost=lambda method, steps: steps * step_seconds(method, records, plan),
            seed=seed,
        )
        decision = SCHEDULERS[scheduler](view)
        assert decision is not None
        if isinstance(decision, Start):
            number = len(records)
            known = (
                first[number] if number < len(first) else propose(records, methods, number=number, sampling=sampling)
            )
            curve = curves[number] = session.take(known.method, dict(known.hyperparameters))
            records.append(TrialRecord(TrialSpec(number, curve.method, curve.hyperparameters, 0), "paused"))
            record = records[-1]
        else:
            record = by_number(records, decision.number)
        _run(session, record, curves[record.spec.number], decision.to_step)


def _run(session: Session, record: TrialRecord, curve: Curve, to_step: int) -> None:
    begun = record.steps_done
    loss = session.train(curve, begun, to_step)
    if loss is None:
        record.state = "failed"
        return
    training = sum(seconds for step, seconds in curve.training.items() if begun < step <= to_step)
    evaluation = curve.evaluation[to_step]
    record.slices.append(SliceResult(to_step, loss, 0.0, None, None, (), training, evaluation, training + evaluation))
    record.state = "finished" if to_step == session.table.full else "paused"
