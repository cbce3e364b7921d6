"""What a history of earlier searches gives, and what a misleading one costs, on recorded learning curves.

    PYTHONPATH=. python -m benchmarks.history [--seeds 20] [--sampler tpe]

The search of `replay_own.py` (successive halving, the recommender's candidates first) on each recorded task, with
four pasts: none; the best of one earlier search on the same task; the best of one on another task of the same kind;
and, as the worst that there can be, the eight worst recorded configurations offered as the best. Writes
`history.json` and prints a table: the share of the simulated budget until a full-length loss is within 1 % of the best
recorded, and the loss at a quarter and at the end of the budget above the best recorded, in per cent of it. The
spreads are standard errors over seeds.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec, by_number
from autopeft.search.history import remembered_proposal, start_place
from autopeft.search.history_store import USED
from autopeft.search.sampler import Proposal, Sampling, propose
from autopeft.search.scheduler import Start, View, asha, ranking
from benchmarks.recorded import CURVES, Curve, Session, Table
from benchmarks.replay_own import methods_of

HERE = Path(__file__).parent
FIRST_SEED = 1000
RUNGS = (12, 36, 108)


def search(
    session: Session, seed: int, methods: Sequence[MethodSpec], sampler: str, history: Sequence[Proposal]
) -> list[TrialRecord]:
    """Until the session's time is over; the trials."""
    records: list[TrialRecord] = []
    curves: dict[int, Curve] = {}
    while not session.over:
        decision = asha(View(records, RUNGS, len(records), seed=seed))
        if isinstance(decision, Start):
            proposal = _proposal(session, records, seed, methods, sampler, history)
            curve = curves[len(records)] = session.take(proposal.method, dict(proposal.hyperparameters))
            records.append(TrialRecord(TrialSpec(len(records), curve.method, curve.hyperparameters, 0), "paused"))
            record = records[-1]
        else:
            assert decision is not None
            record = by_number(records, decision.number)
        _train(session, record, curves[record.spec.number], decision.to_step)
    return records


def _proposal(
    session: Session,
    records: list[TrialRecord],
    seed: int,
    methods: Sequence[MethodSpec],
    sampler: str,
    history: Sequence[Proposal],
) -> Proposal:
    number = len(records)
    remembered = remembered_proposal(history, ranking(records), number, seed=seed)
    if remembered is not None:
        return remembered
    place = start_place(number, len(history))
    if place is not None and place < len(session.table.starts):
        start = session.table.starts[place]
        return Proposal(start["method"], start["hyperparameters"])
    return propose(records, methods, number=number, sampling=Sampling(sampler, ("loss",), seed))


def _train(session: Session, record: TrialRecord, curve: Curve, to_step: int) -> None:
    loss = session.train(curve, record.steps_done, to_step)
    if loss is None:
        record.state = "failed"
        return
    record.slices.append(SliceResult(to_step, loss, 0.0, None, None, (), 0.0, 0.0, 0.0))
    record.state = "finished" if to_step == session.table.full else "paused"


def best_of(records: Sequence[TrialRecord]) -> list[Proposal]:
    """What a finished search leaves."""
    return [Proposal(one.spec.method, dict(one.spec.hyperparameters)) for one in ranking(records)[:USED]]


def worst_of(table: Table) -> list[Proposal]:
    """The worst recorded at full length, the worst first."""
    full = [curve for curve in table.curves if table.full in curve.losses]
    full.sort(key=lambda curve: -curve.losses[table.full])
    return [Proposal(curve.method, dict(curve.hyperparameters)) for curve in full[:USED]]


def pasts(table: Table, others: Sequence[Table], sampler: str) -> dict[str, list[Proposal]]:
    """By name."""
    found: dict[str, list[Proposal]] = {"none": []}
    found["same task"] = best_of(search(Session(table), FIRST_SEED, methods_of(table), sampler, []))
    for other in others:
        known = best_of(search(Session(other), FIRST_SEED, methods_of(other), sampler, []))
        usable = [proposal for proposal in known if proposal.method in table.knobs]
        if usable:
            found[f"from {other.name}"] = usable
    found["misleading"] = worst_of(table)
    return found


def row(table: Table, name: str, past: list[Proposal], seeds: int, sampler: str) -> dict[str, Any]:
    """One past on one task, over all seeds."""
    reached, quarter, end = [], [], []
    for seed in range(seeds):
        session = Session(table)
        search(session, seed, methods_of(table), sampler, past)
        reached.append(session.reached_seconds() / table.budget_seconds)
        quarter.append(100 * (session.best_at(table.budget_seconds / 4) / table.best - 1))
        end.append(100 * (session.best_at(table.budget_seconds) / table.best - 1))
    columns = {"reached_share": reached, "quarter_percent": quarter, "end_percent": end}
    means = {key: round(statistics.mean(values), 3) for key, values in columns.items()}
    errors = {f"{key}_error": round(statistics.stdev(values) / seeds**0.5, 3) for key, values in columns.items()}
    return {"task": table.name, "past": name, "configurations": len(table.curves), "seeds": seeds, **means, **errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--tasks", default="sst2,ag_news")
    asked = parser.parse_args()
    tables = [Table(CURVES / f"{name}.jsonl") for name in asked.tasks.split(",")]
    rows = []
    for table in tables:
        for name, past in pasts(table, [one for one in tables if one is not table], asked.sampler).items():
            rows.append({"sampler": asked.sampler, **row(table, name, past, asked.seeds, asked.sampler)})
            print(
                "{task:8} {past:14} within 1 % after {reached_share:.2f} ± {reached_share_error:.2f} of the time; "
                "{quarter_percent:.2f} ± {quarter_percent_error:.2f} % above at a quarter, "
                "{end_percent:.2f} ± {end_percent_error:.2f} % at the end".format(**rows[-1])
            )
    (HERE / "history.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
