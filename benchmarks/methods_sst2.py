"""How far each method of the catalogue gets on one real task: MiniLM on 2,000 rows of SST-2.

Learning rates are tuned over three (a third of the starting value, itself, three times it) by the loss on 500 other
training rows; the best one is then trained on three seeds and measured on the 872 official validation rows. The gap
between head only and plain LoRA is 100 %; each method's share of it is what it closes. Every run's head starts at the
linear probe, as in `autopeft search`.

Needs the folders `models/minilm-l6` and `data/sst2` under AUTOPEFT_MATERIAL. Each run is kept as it ends, in
`methods_sst2.json` beside this file, and none is done twice:

    python benchmarks/methods_sst2.py [--methods A,B] [--minutes 60]
    python benchmarks/methods_sst2.py --table        # methods_sst2.md, from what has been run
"""

import argparse
import json
import math
import os
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch

from autopeft.api.baselines import measure_baselines
from autopeft.api.preparation import fast_autocast, load_data, load_worker, read_subject
from autopeft.catalog.load import load_catalog
from autopeft.domain.evaluation import Evaluation
from autopeft.domain.plan import SearchRequest, TrainingPlan, derived_seed
from autopeft.domain.trials import TrialSpec
from autopeft.modeling.parameters import count_parameters
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update
from autopeft.training.evaluation import evaluate
from autopeft.training.head_start import with_head_start
from autopeft.training.schedule import learning_rate_scale, set_learning_rate
from autopeft.training.worker import Worker

HERE = Path(__file__).parent
RUNS = HERE / "methods_sst2.json"
TABLE = HERE / "methods_sst2.md"
CATALOG = load_catalog()
TASK = "sequence-classification"
TRAIN_ROWS, CHOICE_ROWS, BATCH_SIZE, STEPS = 2000, 500, 32, 126
FACTORS = (1.0, 3.0, 1 / 3)
SEEDS = (0, 1, 2)
ENOUGH = 0.8
FIRST = ("head-only", "lora")
# The methods that the survey compares, after which come those used by default and then the rest.
COMPARED = (
    "houlsby", "pfeiffer", "parallel", "scaled-parallel", "ln-tuning", "lora-all", "krona", "compacter", "ia3", "mam",
    "prefix-tuning", "prefix-tuning-flat", "prefix-tuning-reparametrised", "unipelt", "prompt-tuning", "bitfit",
)  # fmt: skip
CHOSEN_ON, MEASURED_ON = "test", "validation"  # the split named test is cut from the training rows


def prepare() -> Worker:
    """Base, data and a head at the linear probe."""
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    request = SearchRequest(
        model=str(material / "models" / "minilm-l6"),
        dataset=str(material / "data" / "sst2"),
        task=TASK,
        max_train_rows=TRAIN_ROWS,
        max_evaluation_rows=872,
    )
    subject = read_subject(request, CATALOG)
    with tempfile.TemporaryDirectory() as cache:
        loaded = load_data(request, subject, None, Path(cache))
        plan = TrainingPlan(BATCH_SIZE, STEPS, (STEPS,), SEEDS, fast_autocast(), rung_rows=872)
        worker = load_worker(subject, loaded.encoded, CATALOG, plan, threads=1)
        return with_head_start(worker, measure_baselines(worker, loaded.plain).head)


def train(worker: Worker, method: str, learning_rate: float, seed: int) -> dict[str, Any]:
    """One run, measured on both splits."""
    began = time.perf_counter()
    spec = TrialSpec(0, method, _start(worker, method) | {"learning_rate": learning_rate}, seed)
    model = worker.build(spec)
    optimizer, order = build_optimizer(model, spec.hyperparameters), worker.training_order(seed)
    losses = []
    for step in range(STEPS):
        scale = learning_rate_scale(step, STEPS, worker.plan.warmup_share)
        set_learning_rate(optimizer.param_groups, learning_rate, scale)
        torch.manual_seed(derived_seed(seed, "step", step))
        batches = worker.micro_batches(order.batch_at(step), spec.split)
        loss = training_step(model, batches, optimizer, autocast=worker.autocast, max_grad_norm=1.0)
        after_update(model, step + 1, STEPS)
        losses.append(float(loss))
    chosen = _measured(worker, model, CHOSEN_ON, CHOICE_ROWS)
    found = _measured(worker, model, MEASURED_ON, None)
    return {
        "method": method,
        "learning_rate": learning_rate,
        "seed": seed,
        "trainable_parameters": count_parameters(model).trainable,
        "train_loss": mean(losses[-20:]),
        "choice_loss": chosen.loss,
        "accuracy": float(np.mean(found.row_scores)),
        "wall_seconds": time.perf_counter() - began,
    }


def _start(worker: Worker, method: str) -> dict[str, Any]:
    return dict(CATALOG.methods[method].start(worker.base.num_parameters()))


def _measured(worker: Worker, model: torch.nn.Module, split: str, rows: int | None) -> Evaluation:
    batches = worker.evaluation(split, None if rows is None else np.arange(rows))
    return evaluate(model, batches, autocast=worker.autocast, device=worker.device)


class Runs:
    """What has been run, kept on disk after each run."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = json.loads(RUNS.read_text()) if RUNS.exists() else []

    def of(self, method: str) -> list[dict[str, Any]]:
        """The runs of one method."""
        return [row for row in self.rows if row["method"] == method]

    def once(self, worker: Worker, method: str, learning_rate: float, seed: int) -> None:
        """Run it, unless it has been run; a failure is kept too."""
        if any(math.isclose(row["learning_rate"], learning_rate) and row["seed"] == seed for row in self.of(method)):
            return
        try:
            row = train(worker, method, learning_rate, seed)
        except Exception as error:  # one method's failure is a row of the table
            row = {"method": method, "learning_rate": learning_rate, "seed": seed, "error": str(error)[:200]}
        self.rows.append(row)
        temporary = RUNS.with_suffix(".tmp")
        temporary.write_text("[\n" + ",\n".join(json.dumps(one) for one in self.rows) + "\n]\n")
        os.replace(temporary, RUNS)
        print(json.dumps(row), flush=True)


def best_rate(rows: list[dict[str, Any]]) -> float | None:
    """The learning rate of least loss on the rows to choose by; None where every run failed."""
    tried = [row for row in rows if row["seed"] == SEEDS[0] and math.isfinite(row.get("choice_loss", math.nan))]
    return min(tried, key=lambda row: row["choice_loss"])["learning_rate"] if tried else None


def run_start(worker: Worker, runs: Runs, method: str) -> None:
    """The starting rate on the first seed."""
    runs.once(worker, method, float(_start(worker, method)["learning_rate"]), SEEDS[0])


def run_method(worker: Worker, runs: Runs, method: str) -> None:
    """Three rates on the first seed, then the best one on the others."""
    start = float(_start(worker, method)["learning_rate"])
    for factor in FACTORS:
        runs.once(worker, method, start * factor, SEEDS[0])
    best = best_rate(runs.of(method))
    if best is not None:
        for seed in SEEDS[1:]:
            runs.once(worker, method, best, seed)


def _urgency(method: Any) -> tuple[int, bool]:
    early = (*FIRST, *COMPARED)
    return early.index(method.id) if method.id in early else len(early), bool(method.by_name_only)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A method's line: mean accuracy of the best rate over its seeds."""
    best = best_rate(rows)
    if best is None:
        return None
    measured = [row for row in rows if "accuracy" in row and math.isclose(row["learning_rate"], best)]
    scores = [row["accuracy"] for row in measured]
    rates = {row["learning_rate"] for row in rows}
    return {
        "learning_rate": best,
        "highest": best == max(rates),
        "train_loss": mean(row["train_loss"] for row in measured),
        "trainable": measured[0]["trainable_parameters"],
        "rates": len(rates),
        "seeds": len(scores),
        "accuracy": mean(scores),
        "spread": stdev(scores) if len(scores) > 1 else None,
    }


def table(runs: Runs) -> str:
    """The whole catalogue; what has not been run is said to be not yet run."""
    found = {method: summary(runs.of(method)) for method in CATALOG.methods}
    head, lora = (found[name] for name in FIRST)
    lines = [
        "| method | trains | learning rate | rates | seeds | accuracy | of the gap |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for method in CATALOG.methods.values():
        one = found[method.id]
        if one is None:
            errors = [row["error"] for row in runs.of(method.id) if "error" in row]
            what = f"failed: {errors[0]}" if errors else _not_run(method)
            lines.append(f"| {method.id} | {what} | | | | | |")
            continue
        share = gap_closed(one, head, lora)
        spread = "" if one["spread"] is None else f" ± {one['spread']:.3f}"
        lines.append(
            f"| {method.id} | {one['trainable']:,} | {one['learning_rate']:.2g} | {one['rates']} | {one['seeds']} | "
            f"{one['accuracy']:.3f}{spread} | {'' if share is None else f'{share:.0%}'} |"
        )
    return "\n".join([*lines, "", *below(found)])


def gap_closed(one: dict[str, Any], head: dict[str, Any] | None, lora: dict[str, Any] | None) -> float | None:
    """The share of the gap between head only and LoRA; None until both have been run."""
    return (one["accuracy"] - head["accuracy"]) / (lora["accuracy"] - head["accuracy"]) if head and lora else None


def below(found: dict[str, dict[str, Any] | None]) -> list[str]:
    """One line for each method that closes less than it should, with what its runs show of the reason."""
    head, lora = (found[name] for name in FIRST)
    lines = ["Below 80 % of the gap:", ""]
    for method, one in found.items():
        share = gap_closed(one, head, lora) if one and method != "head-only" else None
        if one is None or lora is None or share is None or share >= ENOUGH:
            continue
        learned = f"its training loss ends at {one['train_loss']:.3f}, LoRA's at {lora['train_loss']:.3f}"
        slow = one["train_loss"] > lora["train_loss"]
        more = "it learns too little in these steps" if slow else "it fits its rows better and others worse"
        rates = (
            "its best rate is the highest of the three" if one["highest"] else "a higher rate was tried and is worse"
        )
        told = f"{learned}: {more}; {rates}" if one["rates"] == len(FACTORS) else "only its starting value has been run"
        lines.append(f"- {method}, {share:.0%}: {told}.")
    return lines


def _not_run(method: Any) -> str:
    architecture = CATALOG.architectures["bert"]
    if (method.tasks and TASK not in method.tasks) or (method.architectures and "encoder" not in method.architectures):
        return "does not apply to this model and task"
    if method.can("needs_quantized_base"):
        return "does not apply to a base in float32"
    return "not yet run" if all(getattr(architecture, fact) for fact in method.requires) else "does not apply"


def write_table(runs: Runs) -> None:
    """`methods_sst2.md`, from the runs."""
    counted = f"{len(runs.rows)} runs of {STEPS} steps of {BATCH_SIZE} rows"
    TABLE.write_text(
        f"<!-- written by methods_sst2.py --table from methods_sst2.json: {counted} -->\n\n{table(runs)}\n"
    )


def main() -> None:
    """Run what has not been run, as long as the minutes last; then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", help="comma-separated ids; by default all, the default ones first")
    parser.add_argument("--minutes", type=float, default=math.inf, help="no method begins later than that")
    parser.add_argument("--table", action="store_true", help="only write the table")
    asked = parser.parse_args()
    runs, ends = Runs(), time.monotonic() + asked.minutes * 60
    if not asked.table:
        worker = prepare()
        ordered = sorted(CATALOG.methods.values(), key=_urgency)
        names = asked.methods.split(",") if asked.methods else [one.id for one in ordered]
        applying = [name for name in names if _not_run(CATALOG.methods[name]) == "not yet run"]
        # The starting value of every method first, so that each soon has a row; then all of them in full.
        for run in (run_start, run_method):
            for name in applying:
                if time.monotonic() < ends:
                    run(worker, runs, name)
    write_table(runs)


if __name__ == "__main__":
    main()
