"""The product beside two general tuners, live: equal wall clock, the same rows, methods, ranges and full length.

    AUTOPEFT_MATERIAL=<folder> python -m benchmarks.live [--seconds 300] [--task sst2] [--peer-threads 2]

- `autopeft search --workers 2` as a user runs it, one thread a worker.
- transformers' `Trainer.hyperparameter_search` with its Optuna backend, as its documentation shows it.
- Optuna's plain loop over the product's own training: TPE, each trial to full length, no pruning.

Each peer stops its trials early enough to train its best configuration once more and to measure
it on the test rows within the time. Counted are the test score, the final validation loss, and when the product first
had a loss as low as each peer's. Writes `live.json`, a row for each task and tuner.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna
import torch
import transformers

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import TrialSpec
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.protocol import SliceTask
from autopeft.modeling.wrap import wrap
from autopeft.search.sampler import suggest
from autopeft.training.worker import Worker
from benchmarks.record_curves import STEPS, TRAIN_ROWS, Bench

# No run may depend on those before it.
os.environ["AUTOPEFT_HISTORY"] = "off"

TARGET = Path(__file__).parent / "live.json"
FULL = STEPS[-1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one tuner: its winner on validation and test, how many trials it began, and the seconds that it took."""

    validation_loss: float
    test: float
    trials: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--task", action="append")
    parser.add_argument("--peer-threads", type=int, default=2)
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = [
        row for task in asked.task or ("sst2", "ag_news") for row in compare(task, asked.seconds, asked.peer_threads)
    ]
    TARGET.write_text(json.dumps(rows, indent=1) + "\n")
    print(json.dumps(rows, indent=1))


def compare(task: str, seconds: float, peer_threads: int) -> list[dict[str, Any]]:
    """The three on one task."""
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(task, material, Path(folder) / "bench")
        result, wall_seconds = own_search(bench, material, Path(folder) / "run", seconds)
        torch.set_num_threads(peer_threads)
        peers: dict[str, Callable[[], Outcome]] = {
            "transformers hyperparameter_search": lambda: trainer_search(bench, seconds),
            "optuna, plain loop": lambda: optuna_search(bench, seconds),
        }
        found = {name: search() for name, search in peers.items()}
    return [_own_row(task, seconds, result, wall_seconds)] + [
        _peer_row(task, seconds, name, one, result) for name, one in found.items()
    ]


def own_search(bench: Bench, material: Path, run: Path, seconds: float) -> tuple[dict[str, Any], float]:
    """`autopeft search` from the command line: its result, and how long the command took."""
    task = bench.task
    options = {
        "model": material / "models" / task.model,
        "dataset": material / "data" / task.data,
        "task": task.kind,
        "methods": ",".join(task.methods),
        "budget": f"{seconds:.0f}s",
        "full-steps": FULL,
        "batch-size": bench.plan.batch_size,
        "max-length": task.max_length,
        "max-train-rows": TRAIN_ROWS,
        "max-evaluation-rows": task.rows,
        "workers": 2,
        "threads": 1,
        "output": run,
    }
    command = [sys.executable, "-m", "autopeft", "search", "--quiet"]
    began = time.monotonic()
    subprocess.run([*command, *(f"--{k}={v}" for k, v in options.items())], check=True, stdout=subprocess.DEVNULL)
    return json.loads((run / "result.json").read_text()), time.monotonic() - began


def reached_seconds(result: dict[str, Any], loss: float) -> float | None:
    """When a trial of the search stage first had a validation loss that low, on the run's own clock."""
    losses = {
        (trial["number"], rung["step"]): rung["validation_loss"]
        for trial in result["trials"]
        for rung in trial["rungs"]
    }
    ends = [
        piece["started_seconds"] + piece["seconds"]
        for piece in result["timeline"]
        if piece["stage"] == "search" and losses.get((piece["trial"], piece["to_step"]), math.inf) <= loss
    ]
    return round(min(ends), 1) if ends else None


def optuna_search(bench: Bench, seconds: float) -> Outcome:
    """Optuna's plain loop: every trial is one full-length slice of the product's."""
    began = time.monotonic()
    executor = InProcessExecutor(bench.worker, measure=False)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        method, values = _suggested(bench, trial)
        spec = TrialSpec(trial.number, method.id, values, 0)
        result = executor.run(SliceTask(spec, bench.folder / f"optuna-{trial.number}", 0, FULL), lambda: False)
        if result.validation_loss is None:
            raise optuna.TrialPruned
        return result.validation_loss

    _until_time_is_up(study, objective, began, seconds)
    best = study.best_trial
    folder = bench.folder / f"optuna-{best.number}"
    test = executor.test(_spec(bench, best), folder, FULL)
    score = sum(p == label for p, label in zip(test.predictions, test.labels, strict=True)) / len(test.labels)
    return Outcome(study.best_value, score, len(study.trials), time.monotonic() - began)


def _until_time_is_up(
    study: optuna.Study, objective: Callable[[optuna.Trial], float], began: float, seconds: float
) -> None:
    longest = 0.0
    # Time for one more run is kept for measuring the best one.
    while time.monotonic() - began + 2 * longest < seconds:
        started = time.monotonic()
        study.optimize(objective, n_trials=1)
        longest = max(longest, time.monotonic() - started)


def _suggested(bench: Bench, trial: optuna.Trial) -> tuple[MethodSpec, dict[str, Any]]:
    method = bench.methods[trial.suggest_categorical("method", sorted(bench.methods))]
    return method, suggest(trial, method)


def _spec(bench: Bench, trial: optuna.trial.FrozenTrial) -> TrialSpec:
    method = trial.params["method"]
    values = {knob.name: trial.params[f"{method}.{knob.name}"] for knob in bench.methods[method].knobs}
    return TrialSpec(trial.number, method, values, 0)


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """A split's rows as the Trainer takes them."""

    def __init__(self, worker: Worker, split: str) -> None:
        self._worker, self._split = worker, split

    def __len__(self) -> int:
        return self._worker.data.rows[self._split]

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: tensor[0] for name, tensor in self._worker.data.batch(self._split, [row]).items()}


def trainer_search(bench: Bench, seconds: float) -> Outcome:
    """The Trainer's own search; its best configuration is trained again, since it keeps no model."""
    began = time.monotonic()
    starts = [time.monotonic()]

    def hp_space(trial: optuna.Trial) -> dict[str, float]:
        starts.append(time.monotonic())
        longest = max(after - before for before, after in pairwise(starts))
        # This run, and training the best one again, must both fit.
        if len(starts) > 2 and starts[-1] - began + 2.5 * longest > seconds:
            raise _TimeIsUpError
        _, values = _suggested(bench, trial)
        return {"learning_rate": values["learning_rate"], "weight_decay": values["weight_decay"]}

    # The search gives its study to nobody: what it raises at the end of the time would lose it.
    storage = optuna.storages.InMemoryStorage()
    with suppress(_TimeIsUpError):
        _trainer(bench).hyperparameter_search(
            hp_space=hp_space,
            compute_objective=lambda metrics: metrics["eval_loss"],
            n_trials=10**6,
            direction="minimize",
            backend="optuna",
            storage=storage,
            study_name="trainer",
            sampler=optuna.samplers.TPESampler(seed=0),
        )
    study = optuna.load_study(study_name="trainer", storage=storage)
    best = study.best_trial
    again = _trainer(bench, best)
    again.train()
    test = again.evaluate(Rows(bench.worker, "test"), metric_key_prefix="test")
    return Outcome(study.best_value, test["test_accuracy"], len(study.trials), time.monotonic() - began)


class _TimeIsUpError(Exception):
    """Ends the Trainer's search."""


def _trainer(bench: Bench, best: optuna.trial.FrozenTrial | None = None) -> transformers.Trainer:
    worker, chosen = bench.worker, None if best is None else _spec(bench, best)

    def model_init(trial: optuna.Trial | None = None) -> torch.nn.Module:
        if chosen is not None:
            method, values = bench.methods[chosen.method], chosen.hyperparameters
        elif trial is None:  # the Trainer asks for a model when it is made
            method = bench.methods["lora"]
            values = {knob.name: knob.default for knob in method.knobs}
        else:
            method, values = _suggested(bench, trial)
        return wrap(worker.base, method, values, worker.task, worker.architecture, head_seed=0).train()

    rates = {} if chosen is None else {n: float(chosen.hyperparameters[n]) for n in ("learning_rate", "weight_decay")}
    arguments = transformers.TrainingArguments(
        output_dir=str(bench.folder / "trainer"),
        max_steps=FULL,
        per_device_train_batch_size=bench.plan.batch_size,
        per_device_eval_batch_size=bench.plan.evaluation_batch_size,
        warmup_steps=round(bench.plan.warmup_share * FULL),
        save_strategy="no",
        eval_strategy="no",
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        use_cpu=True,
        seed=0,
        label_names=["labels"],
        **rates,
    )
    return transformers.Trainer(
        args=arguments,
        model_init=model_init,
        train_dataset=Rows(worker, "train"),
        eval_dataset=Rows(worker, "validation"),
        data_collator=_Collator(worker.data.pad_id),
        compute_metrics=lambda told: {"accuracy": float((told.predictions.argmax(-1) == told.label_ids).mean())},
    )


@dataclass(frozen=True, slots=True)
class _Collator:
    """Pads a batch to its longest row."""

    pad_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        return {name: torch.stack([self._padded(row[name], name, longest) for row in rows]) for name in rows[0]}

    def _padded(self, values: torch.Tensor, name: str, longest: int) -> torch.Tensor:
        if values.dim() == 0:
            return values
        return torch.nn.functional.pad(
            values, (0, longest - len(values)), value=self.pad_id if name == "input_ids" else 0
        )


def _own_row(task: str, seconds: float, result: dict[str, Any], wall_seconds: float) -> dict[str, Any]:
    best = result["best"]
    losses = [rung["validation_loss"] for trial in result["trials"] for rung in trial["rungs"] if rung["step"] == FULL]
    outcome = Outcome(min(losses), best["test_metric"], len(result["trials"]), wall_seconds)
    return _row(task, seconds, "autopeft search", outcome)


def _peer_row(task: str, seconds: float, name: str, outcome: Outcome, own: dict[str, Any]) -> dict[str, Any]:
    reached = reached_seconds(own, outcome.validation_loss)
    share = None if reached is None else round(reached / seconds, 3)
    return _row(task, seconds, name, outcome) | {"autopeft_reached_seconds": reached, "autopeft_reached_share": share}


def _row(task: str, seconds: float, name: str, outcome: Outcome) -> dict[str, Any]:
    rounded = replace(outcome, validation_loss=round(outcome.validation_loss, 4), seconds=round(outcome.seconds, 1))
    return {"task": task, "tuner": name, "budget_seconds": seconds} | {
        field: getattr(rounded, field) for field in ("validation_loss", "test", "trials", "seconds")
    }


if __name__ == "__main__":
    main()
