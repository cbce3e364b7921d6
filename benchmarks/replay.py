"""Searchers compared on recorded learning curves, on a simulated clock: this project's against Optuna's own ways.

    python benchmarks/replay.py [--task sst2] [--seeds 20]

Every searcher maps what it proposes to the nearest recorded configuration of the same method, pays the recorded
seconds, and sees the recorded losses. Its score at a time is the least full-length loss that it has paid for until
then. Writes `replay.json` and prints a table: the median over seeds of the seconds until that score is within 1 % of
the best known, and the interquartile range. A searcher that does not get there is counted with the whole time.
"""

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import optuna

from autopeft.catalog import load_catalog
from autopeft.domain.knobs import Knob
from autopeft.domain.plan import SearchRequest, TrainingPlan, derived_seed
from autopeft.domain.progress import Silent
from autopeft.domain.trials import SliceResult, Split
from autopeft.execution.protocol import Executor, Finished, ShouldStop, SliceTask
from autopeft.search.context import SearchContext
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory, write_json
from autopeft.search.sampler import distribution
from autopeft.search.search_stage import search_stage
from autopeft.search.storage import Study
from autopeft.search.storage import StudyMirror as Mirror

HERE = Path(__file__).parent
RUNGS = (12, 36, 108)
FINE = (12, 36, 108)
WITHIN = 1.01
# A searcher's time: that of so many of the recorded configurations at full length.
BUDGET_CONFIGURATIONS = 25


@dataclass(frozen=True, slots=True)
class Curve:
    """A recorded configuration."""

    method: str
    hyperparameters: dict[str, Any]
    losses: dict[int, float]
    seconds: dict[int, float]

    @property
    def final(self) -> float:
        """Loss at full length; infinite where it failed before."""
        return self.losses.get(RUNGS[-1], math.inf)


class Table:
    """The recorded curves of a task."""

    def __init__(self, path: Path) -> None:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.curves = [_curve(line) for line in lines]
        names = sorted({curve.method for curve in self.curves})
        self.methods = {name: load_catalog().method(name) for name in names}
        self.best = min(curve.final for curve in self.curves)
        full = [sum(curve.seconds.values()) for curve in self.curves if math.isfinite(curve.final)]
        self.budget_seconds = BUDGET_CONFIGURATIONS * statistics.mean(full)

    def nearest(self, method: str, hyperparameters: dict[str, Any]) -> Curve:
        """The recorded configuration of the method that differs least, each knob on the scale it is searched on."""
        knobs = self.methods[method].knobs
        own = [curve for curve in self.curves if curve.method == method]
        return min(own, key=lambda c: sum(_gap(k, c.hyperparameters[k.name], hyperparameters[k.name]) for k in knobs))


def _curve(line: dict[str, Any]) -> Curve:
    losses = {step: loss for step, loss, *_ in line["slices"]}
    seconds = {step: seconds for step, _, _, seconds in line["slices"]}
    return Curve(line["method"], line["hyperparameters"], losses, seconds)


def _gap(knob: Knob, one: Any, other: Any) -> float:
    if knob.kind == "categorical":
        return float(one != other)
    scale = math.log if knob.log else float
    low, high = scale(knob.low or 0), scale(knob.high or 0)
    return 0.0 if high == low else ((scale(one) - scale(other)) / (high - low)) ** 2


class Clock:
    """Simulated seconds, and the best full-length loss by then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.scores: list[tuple[float, float]] = []

    def __call__(self) -> float:
        """The time."""
        return self.now

    def pay(self, table: Table, curve: Curve, from_step: int, to_step: int) -> float | None:
        """Spend the recorded seconds of a stretch; the loss at its end, or None where it failed."""
        steps = [step for step in curve.seconds if from_step < step <= to_step]
        self.now += sum(curve.seconds[step] for step in steps)
        loss = curve.losses.get(to_step)
        if to_step == RUNGS[-1] and loss is not None:
            self.scores.append((self.now, loss))
        return loss

    def reached(self, table: Table) -> float:
        """When a score within the margin of the best known was had; the whole time where it was not."""
        good = [when for when, loss in self.scores if loss <= table.best * WITHIN]
        return min([*good, table.budget_seconds])


class ReplayExecutor:
    """An executor that answers from the table."""

    slots = 1

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock
        self._tasks: list[SliceTask] = []

    def submit(self, task: SliceTask) -> None:
        """Take it."""
        self._tasks.append(task)

    def wait(self, should_stop: ShouldStop) -> Finished:
        """Its recorded result."""
        task = self._tasks.pop(0)
        curve = self._table.nearest(task.spec.method, dict(task.spec.hyperparameters))
        began = self._clock.now
        loss = self._clock.pay(self._table, curve, task.from_step, task.to_step)
        seconds = self._clock.now - began
        if loss is None:
            return Finished(task, SliceResult.failed(task.from_step, "recorded failure", wall_seconds=seconds), seconds)
        result = SliceResult(task.to_step, loss, 0.0, None, None, (), seconds, 0.0, seconds)
        return Finished(task, result, seconds)


def ours(table: Table, clock: Clock, seed: int, *, scheduler: str, sampler: str) -> None:
    """The project's own search stage, without the recommender's starting points, which peers do not have."""
    plan = TrainingPlan(batch_size=8, full_steps=RUNGS[-1], rung_steps=RUNGS, seeds=(0,), autocast=None, rung_rows=200)
    request = SearchRequest("replay", "replay", "replay", seed=seed, scheduler=scheduler, sampler=sampler)
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(Path(folder) / "run")
        write_json(run.path / "plan.json", {"request": request.to_dict()})
        context = SearchContext(
            # The confirm stage is no part of the comparison: its reserve is none.
            request=replace(request, trials=200),
            plan=plan,
            metric="loss",
            maximize=False,
            row_metric="loss",
            methods=table.methods,
            searched=tuple(table.methods),
            starts=(),
            control=None,
            split=lambda proposal: Split(),
            test_rows=1,
            validation_rows=1,
            max_length=1,
            study=lambda: cast(Study, Mirror(run.path / "study.db", table.methods)),
            run=run,
            executor=cast(Executor, ReplayExecutor(table, clock)),
            ledger=Ledger(run.path / "ledger.json", clock=clock, started=0.0, timestamp=""),
            observer=Silent(),
        )
        stop = context.stop
        original = context.executor.wait

        def wait(should_stop: ShouldStop) -> Finished:
            finished = original(should_stop)
            stop.requested = clock.now >= table.budget_seconds
            return finished

        context.executor.wait = wait  # type: ignore[method-assign]  # ends the search on the simulated clock
        search_stage(context)


def optunas(table: Table, clock: Clock, seed: int, pruner: optuna.pruners.BasePruner, *, tpe: bool = True) -> None:
    """Optuna's plain loop with a pruner, as its documentation shows it."""
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
    if tpe:
        sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(sampler=sampler, pruner=pruner)

    def objective(trial: optuna.Trial) -> float:
        method = table.methods[trial.suggest_categorical("method", sorted(table.methods))]
        chosen = {knob.name: _suggest(trial, f"{method.id}.{knob.name}", knob) for knob in method.knobs}
        curve, begun, loss = table.nearest(method.id, chosen), 0, None
        for step in FINE:
            loss = clock.pay(table, curve, begun, step)
            if loss is None:
                raise optuna.TrialPruned
            trial.report(loss, step)
            if step != FINE[-1] and trial.should_prune():
                raise optuna.TrialPruned
            begun = step
        return float(cast(float, loss))

    while clock.now < table.budget_seconds:
        study.optimize(objective, n_trials=1)


def _suggest(trial: optuna.Trial, name: str, knob: Knob) -> Any:
    space = distribution(knob)
    if knob.kind == "categorical":
        return trial.suggest_categorical(name, knob.choices)
    if isinstance(space, optuna.distributions.IntDistribution):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    space = cast(optuna.distributions.FloatDistribution, space)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def searchers() -> dict[str, Callable[[Table, Clock, int], None]]:
    """By the names in the table."""
    halving, hyperband = optuna.pruners.SuccessiveHalvingPruner, optuna.pruners.HyperbandPruner
    made: dict[str, Callable[[Table, Clock, int], None]] = {
        f"autopeft {scheduler} {sampler}": (
            lambda t, c, s, scheduler=scheduler, sampler=sampler: ours(t, c, s, scheduler=scheduler, sampler=sampler)
        )
        for scheduler in ("asha", "hyperband", "freeze-thaw")
        for sampler in ("tpe",)
    }
    made["autopeft asha random"] = lambda t, c, s: ours(t, c, s, scheduler="asha", sampler="random")
    made["optuna tpe, no pruning"] = lambda t, c, s: optunas(t, c, s, optuna.pruners.NopPruner())
    made["optuna tpe, median"] = lambda t, c, s: optunas(t, c, s, optuna.pruners.MedianPruner())
    made["optuna tpe, hyperband"] = lambda t, c, s: optunas(
        t, c, s, hyperband(min_resource=FINE[0], max_resource=FINE[-1], reduction_factor=3)
    )
    made["optuna random, halving"] = lambda t, c, s: optunas(
        t, c, s, halving(min_resource=FINE[0], reduction_factor=3), tpe=False
    )
    made["optuna random, no pruning"] = lambda t, c, s: optunas(t, c, s, optuna.pruners.NopPruner(), tpe=False)
    return made


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append")
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    rows = []
    for path in sorted((HERE / "curves").glob("*.jsonl")):
        if asked.task and path.stem not in asked.task:
            continue
        table = Table(path)
        for name, search in searchers().items():
            reached = []
            for seed in range(asked.seeds):
                clock = Clock()
                search(table, clock, derived_seed("replay", seed))
                reached.append(clock.reached(table))
            rows.append(_row(path.stem, name, table, reached))
            print(
                "{task:10} {searcher:28} {median_seconds:8.1f} s  [{low:.1f}, {high:.1f}]  missed {missed}".format(
                    **rows[-1]
                )
            )
    (HERE / "replay.json").write_text(json.dumps(rows, indent=1) + "\n")


def _row(task: str, name: str, table: Table, reached: list[float]) -> dict[str, Any]:
    low, median, high = statistics.quantiles(reached, n=4) if len(reached) > 1 else (reached[0],) * 3
    return {
        "task": task,
        "searcher": name,
        "configurations": len(table.curves),
        "seeds": len(reached),
        "budget_seconds": round(table.budget_seconds, 2),
        "median_seconds": round(median, 2),
        "low": round(low, 2),
        "high": round(high, 2),
        "missed": sum(one >= table.budget_seconds for one in reached),
    }


if __name__ == "__main__":
    main()
