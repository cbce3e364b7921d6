"""Optuna's own ways and random search, on recorded curves: plain loops as their documentation shows them."""

import math
import random
from typing import Any

import optuna

from benchmarks.recorded import Curve, Session


def optuna_loop(session: Session, seed: int, rungs: tuple[int, ...], pruner: optuna.pruners.BasePruner) -> None:
    """TPE as Optuna ships it, over method and hyperparameters; each trial reports at the rungs until it is pruned."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)
    reports = (rungs[-1],) if isinstance(pruner, optuna.pruners.NopPruner) else rungs

    while not session.over:
        _trial(session, study, reports)


def _trial(session: Session, study: optuna.Study, reports: tuple[int, ...]) -> None:
    """One trial. The proposal is withdrawn, and what was recorded nearest to it is tried in its place."""
    proposal = study.ask()
    curve = session.take(*_suggested(session, proposal))
    study.tell(proposal, state=optuna.trial.TrialState.FAIL)
    named = {f"{curve.method}.{name}": value for name, value in curve.hyperparameters.items()}
    study.enqueue_trial({"method": curve.method} | named)
    trial = study.ask()
    _suggested(session, trial)
    begun = 0
    for step in reports:
        loss = session.train_on(curve, begun, step)
        if loss is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        trial.report(loss, step)
        if step == reports[-1]:
            study.tell(trial, loss)
        elif trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
        begun = step


def _suggested(session: Session, trial: optuna.Trial) -> tuple[str, dict[str, Any]]:
    method = trial.suggest_categorical("method", sorted(session.table.knobs))
    knobs = session.table.knobs[method]
    return method, {knob["name"]: _suggest(trial, f"{method}.{knob['name']}", knob) for knob in knobs}


def _suggest(trial: optuna.Trial, name: str, knob: dict[str, Any]) -> Any:
    if knob["kind"] == "categorical":
        return trial.suggest_categorical(name, knob["choices"])
    if knob["kind"] == "int":
        return trial.suggest_int(name, int(knob["low"]), int(knob["high"]), log=knob["log"])
    return trial.suggest_float(name, knob["low"], knob["high"], log=knob["log"])


def random_loop(session: Session, seed: int) -> None:
    """Random search to full length."""
    generator = random.Random(seed)
    while not session.over:
        session.train(draw(session, generator), 0, session.table.full)


def random_halving(session: Session, seed: int, rungs: tuple[int, ...], factor: int = 3) -> None:
    """Random search in rounds of successive halving (arXiv:1502.07943): of 27, the best third goes on at each rung."""
    generator = random.Random(seed)
    while not session.over:
        alive = [draw(session, generator) for _ in range(factor**3)]
        begun = 0
        for step in rungs:
            losses = {}
            for curve in alive:
                if session.over:
                    return
                loss = session.train(curve, begun, step)
                losses[curve.number] = float("inf") if loss is None else loss
            alive.sort(key=lambda curve: losses[curve.number])
            alive, begun = alive[: max(1, len(alive) // factor)], step


def draw(session: Session, generator: random.Random) -> Curve:
    """A configuration drawn at random from the space."""
    method = generator.choice(sorted(session.table.knobs))
    values = {knob["name"]: _drawn(knob, generator) for knob in session.table.knobs[method]}
    return session.take(method, values)


def _drawn(knob: dict[str, Any], generator: random.Random) -> Any:
    if knob["kind"] == "categorical":
        return generator.choice(knob["choices"])
    if knob["log"]:
        value = math.exp(generator.uniform(math.log(knob["low"]), math.log(knob["high"])))
    else:
        value = generator.uniform(knob["low"], knob["high"])
    return round(value) if knob["kind"] == "int" else value
