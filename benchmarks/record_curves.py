"""Records learning curves of random configurations, for `replay.py` to search over without training.

    python benchmarks/record_curves.py MATERIAL [--task sst2] [--count 200] [--minutes 10]

MATERIAL is the folder that AUTOPEFT_MATERIAL names. One line of JSON a configuration goes to `curves/<task>.jsonl`:
at each step the validation loss, the metric, and the seconds of one core since the step before.
Configuration n of a task is always the same, so that a later call goes on where this one ended, however it ended.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from autopeft.api.preparation import load_data, load_worker, read_subject
from autopeft.catalog import load_catalog
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import TrialSpec
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.protocol import SliceTask
from autopeft.search.sampler import Sampling, propose
from autopeft.training.checkpoint import prune_checkpoints

CURVES = Path(__file__).parent / "curves"
# Every scheduler's rungs are among these steps.
STEPS = (12, 24, 36, 72, 108)
METHODS = ("lora", "lora-all", "dora", "ia3", "bitfit", "houlsby", "pfeiffer", "vera")
# task -> (model, data, task type, methods)
TASKS = {
    "sst2": ("minilm-tiny-distilled", "sst2", "sequence-classification"),
    "ag_news": ("minilm-tiny-distilled", "ag_news", "sequence-classification"),
    "alpaca": ("stories260k", "alpaca_en_demo", "causal-lm"),
    "cnn": ("t5-tiny-news", "cnn_dailymail", "text-to-text"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("material", type=Path)
    parser.add_argument("--task", choices=TASKS, action="append")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args()
    deadline = time.monotonic() + 60 * asked.minutes
    for task in asked.task or TASKS:
        record(task, asked.material, asked.count, deadline)


def record(task: str, material: Path, count: int, deadline: float) -> None:
    """Go on with a task's file until it has `count` lines or time is up."""
    path = CURVES / f"{task}.jsonl"
    path.parent.mkdir(exist_ok=True)
    done = len(path.read_text().splitlines()) if path.exists() else 0
    if done >= count or time.monotonic() > deadline:
        return
    with tempfile.TemporaryDirectory() as folder:
        executor, catalog = _executor(task, material, Path(folder)), load_catalog()
        methods = [catalog.method(name) for name in METHODS]
        for number in range(done, count):
            if time.monotonic() > deadline:
                return
            proposal = propose([], methods, number=number, sampling=Sampling("random", seed=0))
            spec = TrialSpec(number, proposal.method, proposal.hyperparameters, 0)
            line = _curve(executor, spec, Path(folder) / str(number))
            with open(path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
            print(f"{task} {number}: {proposal.method} {line['slices'][-1] if line['slices'] else line['error']}")


def _executor(task: str, material: Path, folder: Path) -> InProcessExecutor:
    model, data, kind = TASKS[task]
    request = SearchRequest(
        model=str(material / "models" / model),
        dataset=str(material / "data" / data),
        task=kind,
        max_train_rows=1200,
        max_evaluation_rows=300,
        max_length=32,
        threads=1,
    )
    catalog = load_catalog()
    subject = read_subject(request, catalog)
    loaded = load_data(request, subject, None, folder)
    plan = TrainingPlan(batch_size=8, full_steps=STEPS[-1], rung_steps=STEPS, seeds=(0,), autocast=None, rung_rows=200)
    return InProcessExecutor(load_worker(subject, loaded.encoded, catalog, plan, threads=1))


def _curve(executor: InProcessExecutor, spec: TrialSpec, folder: Path) -> dict[str, Any]:
    slices: list[list[float | None]] = []
    begun, error, peak, parameters = 0, None, None, 0
    for step in STEPS:
        # Seconds of one core, not of the wall: other work on the machine is no part of a method's cost.
        began = time.process_time()
        result = executor.run(SliceTask(spec, folder, begun, step), lambda: False)
        seconds = time.process_time() - began
        if result.error:
            error = result.error
            break
        figures = (result.validation_loss, result.validation_metric, seconds)
        slices.append([step, *(None if value is None else round(value, 5) for value in figures)])
        peak, parameters = peak or result.measured_peak_bytes, result.trainable_parameters
        begun = step
    prune_checkpoints(folder / "checkpoint", None)
    return {
        "method": spec.method,
        "hyperparameters": dict(spec.hyperparameters),
        "slices": slices,
        "peak_bytes": peak,
        "trainable_parameters": parameters,
        "error": error,
    }


if __name__ == "__main__":
    main()
