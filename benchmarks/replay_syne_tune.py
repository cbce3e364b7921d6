"""Syne Tune's ASHA on recorded curves, in a process of its own, since its packages and the product's do not mix.

    python -m venv st && st/bin/pip install syne-tune==0.16.0
    st/bin/python -m benchmarks.replay_syne_tune [--seeds 20] [--task sst2]

Writes `replay_syne_tune.json`, which `replay.py` reads: for each seed, the (seconds, loss) of every full-length run.
"""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, lograndint, loguniform, randint, uniform
from syne_tune.optimizer.baselines import ASHA

from benchmarks.recorded import CURVES, Session, Table

TARGET = Path(__file__).parent / "replay_syne_tune.json"
NAME = "syne tune asha"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--task", action="append")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    found = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    for path in sorted(CURVES.glob("*.jsonl")):
        if asked.task and path.stem not in asked.task:
            continue
        table = Table(path)
        for rungs in table.rung_choices():
            scores = [asha(table, seed, rungs) for seed in range(asked.seeds)]
            found[f"{table.name} {rungs[0]}"] = {"configurations": len(table.curves), "scores": scores}
    TARGET.write_text(json.dumps(found) + "\n")


def asha(table: Table, seed: int, rungs: tuple[int, ...]) -> list[tuple[float, float]]:
    """One search with the scheduler that stops trials at the rungs."""
    np.random.seed(seed)
    session = Session(table)
    scheduler = ASHA(
        _space(table),
        metric="loss",
        time_attr="step",
        max_t=rungs[-1],
        grace_period=rungs[0],
        reduction_factor=3,
        random_seed=seed,
    )
    number = 0
    while not session.over:
        config = scheduler.suggest().config
        trial = Trial(number, config, None)
        scheduler.on_trial_add(trial)
        method = config["method"]
        curve = session.take(method, {knob["name"]: config[f"{method}.{knob['name']}"] for knob in table.knobs[method]})
        _run(session, scheduler, trial, curve, rungs)
        number += 1
    return [(round(when, 2), loss) for when, loss in session.scores]


def _run(session: Session, scheduler: ASHA, trial: Trial, curve: Any, rungs: tuple[int, ...]) -> None:
    begun = 0
    for step in rungs:
        loss = session.train_on(curve, begun, step)
        if loss is None:
            scheduler.on_trial_error(trial)
            return
        result = {"loss": loss, "step": step}
        if step == rungs[-1]:
            scheduler.on_trial_complete(trial, result)
        elif scheduler.on_trial_result(trial, result) == "STOP":
            return
        begun = step


def _space(table: Table) -> dict[str, Any]:
    space = {"method": choice(sorted(table.knobs))}
    return space | {f"{m}.{knob['name']}": _range(knob) for m, knobs in table.knobs.items() for knob in knobs}


def _range(knob: dict[str, Any]) -> Any:
    if knob["kind"] == "categorical":
        return choice(knob["choices"])
    if knob["kind"] == "int":
        low, high = int(knob["low"]), int(knob["high"])
        return lograndint(low, high) if knob["log"] else randint(low, high)
    return loguniform(knob["low"], knob["high"]) if knob["log"] else uniform(knob["low"], knob["high"])


if __name__ == "__main__":
    main()
