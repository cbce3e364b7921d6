"""Searchers compared on recorded learning curves, on a simulated clock: this project's against the general tuners.

    python -m benchmarks.replay [--task sst2] [--searcher random] [--seeds 20]

Rows of other tasks and searchers than those named (by the beginning of their names) are kept as they are.

Every searcher gets the recorded configuration nearest to what it proposes, pays the recorded seconds, and sees the
recorded losses (`recorded.py`). What counts is when a full-length loss within 1 % of the best recorded one was paid
for. Peers are run on two ladders of rungs, and the one that suits them better counts. Syne Tune's ASHA is read from
`replay_syne_tune.json`, which `replay_syne_tune.py` writes. Writes `replay.json` and `replay.md`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from autopeft.domain.plan import derived_seed
from benchmarks.recorded import CURVES, Session, Table
from benchmarks.replay_own import methods_of, own_search
from benchmarks.replay_page import page
from benchmarks.replay_peers import optuna_loop, random_halving, random_loop

HERE = Path(__file__).parent
Searcher = Callable[[Session, int, tuple[int, ...]], None]
QUARTERS = (0.25, 0.5, 0.75, 1.0)
OWN = {
    "autopeft asha": ("asha", "mobster", True),
    "autopeft asha, no starts": ("asha", "mobster", False),
    "autopeft hyperband": ("hyperband", "mobster", True),
    "autopeft freeze-thaw": ("freeze-thaw", "mobster", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append")
    parser.add_argument("--searcher", action="append")
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    target = HERE / "replay.json"
    known: list[dict[str, Any]] = json.loads(target.read_text()) if target.exists() else []
    for path in sorted(CURVES.glob("*.jsonl")):
        if not asked.task or path.stem in asked.task:
            made = task_rows(Table(path), asked.seeds, tuple(asked.searcher or [""]))
            replaced = {(one["task"], one["searcher"]) for one in made}
            known = [one for one in known if (one["task"], one["searcher"]) not in replaced] + made
            target.write_text(json.dumps(known, indent=1) + "\n")
    (HERE / "replay.md").write_text(page(sorted(known, key=lambda one: (one["task"], one["searcher"]))))


def task_rows(table: Table, seeds: int, wanted: tuple[str, ...] = ("",)) -> list[dict[str, Any]]:
    """One row a searcher and ladder; only of searchers whose names begin as wanted."""
    rows = []
    for name, search in searchers(table).items():
        for rungs in ladders(name, table) if name.startswith(wanted) else ():
            sessions = [_session(table, search, seed, rungs) for seed in range(seeds)]
            rows.append(row(table, name, rungs, sessions))
    return rows + (syne_tune_rows(table, seeds) if "syne tune asha".startswith(wanted) else [])


def ladders(name: str, table: Table) -> list[tuple[int, ...]]:
    """The product's own rungs for the product; both for its peers, and none for those that do not stop early."""
    product, finer = table.rung_choices()
    return [product] if name.startswith("autopeft") or "no pruning" in name else [product, finer]


def searchers(table: Table) -> dict[str, Searcher]:
    """By the names in the table."""
    methods, pruners = methods_of(table), optuna.pruners

    def own(scheduler: str, sampler: str, starts: bool) -> Searcher:
        return lambda session, seed, rungs: own_search(
            session, seed, rungs, methods, scheduler=scheduler, sampler=sampler, starts=starts
        )

    made = {name: own(*how) for name, how in OWN.items()}
    return made | {
        "optuna tpe, no pruning": lambda s, seed, rungs: optuna_loop(s, seed, rungs, pruners.NopPruner()),
        "optuna tpe, hyperband": lambda s, seed, rungs: optuna_loop(
            s, seed, rungs, pruners.HyperbandPruner(min_resource=rungs[0], max_resource=rungs[-1], reduction_factor=3)
        ),
        "optuna tpe, median": lambda s, seed, rungs: optuna_loop(s, seed, rungs, pruners.MedianPruner()),
        "random, halving": random_halving,
        "random, no pruning": lambda s, seed, rungs: random_loop(s, seed),
    }


def _session(table: Table, search: Searcher, seed: int, rungs: tuple[int, ...]) -> Session:
    session = Session(table)
    search(session, derived_seed("replay", seed), rungs)
    return session


def row(table: Table, name: str, rungs: tuple[int, ...], sessions: list[Session]) -> dict[str, Any]:
    """What came of a searcher's sessions: seconds until it was there, and its best loss at each quarter."""
    return {
        "task": table.name,
        "searcher": name,
        "rungs": list(rungs),
        "configurations": len(table.curves),
        "full_seconds": round(table.full_seconds, 3),
        "budget_seconds": round(table.budget_seconds, 2),
        "best_loss": table.best,
        "reached_seconds": [round(session.reached_seconds(), 2) for session in sessions],
        "quarters": [[session.best_at(share * table.budget_seconds) for session in sessions] for share in QUARTERS],
    }


def syne_tune_rows(table: Table, seeds: int) -> list[dict[str, Any]]:
    """Syne Tune's, where they were made on as many configurations."""
    path = HERE / "replay_syne_tune.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    rows = []
    for rungs in table.rung_choices():
        made = found.get(f"{table.name} {rungs[0]}")
        if made is None or made["configurations"] != len(table.curves):
            continue
        sessions = [Session(table) for _ in made["scores"][:seeds]]
        for session, scores in zip(sessions, made["scores"], strict=False):
            session.scores = [(when, loss) for when, loss in scores]
        rows.append(row(table, "syne tune asha", rungs, sessions))
    return rows


if __name__ == "__main__":
    main()
