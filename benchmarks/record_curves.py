"""Records learning curves of random configurations, for `replay.py` to search over without training.

    AUTOPEFT_MATERIAL=<folder> python -m benchmarks.record_curves [--task sst2] [--count 200] [--minutes 10]

The first line of `curves/<task>.jsonl` says what was trained, and what the recommender would begin with there. One line
a configuration follows: at each of the steps the validation loss, and what training to it, evaluating and the rest of
the slice took, in seconds of one thread. Those are the processor's seconds, not the wall's: other work on the machine
is no part of a method's cost. Configurations are drawn at random from the ranges that the product searches.
A later call goes on where this one ended, however it ended.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from autopeft.api.planning import Choice, choose
from autopeft.api.preparation import Subject, load_data, load_worker, read_subject
from autopeft.api.pricing import Pricing
from autopeft.api.rank_limits import within_layers
from autopeft.api.search_ranges import with_ranges
from autopeft.catalog import load_catalog
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import TrialSpec
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.protocol import SliceTask
from autopeft.search.sampler import Sampling, propose
from autopeft.training.checkpoint import prune_checkpoints
from autopeft.training.worker import Worker

CURVES = Path(__file__).parent / "curves"
# Every scheduler's rungs are among these steps.
STEPS = (4, 12, 24, 36, 72, 108)
TRAIN_ROWS = 1200
COMMON = ("lora", "lora-all", "dora", "ia3", "houlsby", "pfeiffer", "vera")


@dataclass(frozen=True, slots=True)
class Task:
    """What is recorded: model, data, task type, tokens, validation rows, and methods."""

    model: str
    data: str
    kind: str
    max_length: int
    rows: int
    methods: tuple[str, ...]
    columns: Mapping[str, str]


TASKS = {
    "sst2": Task("minilm-tiny-distilled", "sst2", "sequence-classification", 32, 256, (*COMMON, "bitfit"), {}),
    "ag_news": Task("minilm-tiny-distilled", "ag_news", "sequence-classification", 32, 256, (*COMMON, "bitfit"), {}),
    "alpaca": Task("stories260k", "alpaca_en_demo", "causal-lm", 32, 14, (*COMMON, "ln-tuning"), {"text": "output"}),
    "cnn": Task("t5-tiny-news", "cnn_dailymail", "text-to-text", 24, 128, (*COMMON, "ln-tuning"), {}),
}
# Of a summary, to learn from it: its first so many characters.
TARGET_CHARACTERS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TASKS, action="append")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args()
    deadline = time.monotonic() + 60 * asked.minutes
    for task in asked.task or TASKS:
        record(task, Path(os.environ["AUTOPEFT_MATERIAL"]), asked.count, deadline)


def record(name: str, material: Path, count: int, deadline: float) -> None:
    """Go on with a task's file until it has `count` configurations or time is up."""
    path = CURVES / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    done = len(path.read_text().splitlines()) - 1 if path.exists() else 0
    if done >= count or time.monotonic() > deadline:
        return
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(name, material, Path(folder))
        if not path.exists():
            _append(path, bench.head())
        for number in range(done, count):
            if time.monotonic() > deadline:
                return
            line = bench.curve(number)
            _append(path, line)
            print(f"{name} {number}: {line['method']} {line['losses'][-1:]} {line['error'] or ''}", flush=True)


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, separators=(",", ":")) + "\n")


class Bench:
    """A task, loaded."""

    def __init__(self, name: str, material: Path, folder: Path) -> None:
        self.name, self.task, self.folder = name, TASKS[name], folder
        request = SearchRequest(
            model=str(material / "models" / self.task.model),
            dataset=str(_shortened(material / "data" / self.task.data, folder / "short")),
            task=self.task.kind,
            columns=self.task.columns,
            methods=self.task.methods,
            max_length=self.task.max_length,
            threads=1,
            max_train_rows=TRAIN_ROWS,
            max_evaluation_rows=self.task.rows,
        )
        catalog = load_catalog()
        subject: Subject = read_subject(request, catalog)
        encoded = load_data(request, subject, None, folder / "data").encoded
        rows = encoded.rows["validation"]
        self.plan = TrainingPlan(8, STEPS[-1], STEPS, (0,), None, rung_rows=rows)
        self.worker: Worker = load_worker(subject, encoded, catalog, self.plan, threads=1)
        self.pricing = Pricing(subject, catalog, self.worker, None)
        self.choice: Choice = choose(request, self.pricing.recommendation(request), catalog)
        asked = {method: catalog.method(method) for method in self.task.methods}
        self.methods = with_ranges(
            asked, within_layers(subject, self.pricing.shape, asked, self.choice.ranges, self.choice.searched)
        )
        self.executor = InProcessExecutor(self.worker, measure=False)

    def head(self) -> dict[str, Any]:
        """What the file is of."""
        knobs = {
            name: [
                {"name": k.name, "kind": k.kind, "low": k.low, "high": k.high, "log": k.log, "choices": k.choices}
                for k in method.knobs
            ]
            for name, method in self.methods.items()
        }
        starts = [{"method": one.method, "hyperparameters": dict(one.hyperparameters)} for one in self.choice.starts]
        return {
            "model": self.task.model,
            "base_parameters": self.pricing.base_parameters,
            "rows": self.worker.data.rows,
            "steps": STEPS,
            "starts": starts,
            "knobs": knobs,
        }

    def curve(self, number: int) -> dict[str, Any]:
        """Train configuration `number` to the end, or until it fails."""
        proposal = propose([], list(self.methods.values()), number=number, sampling=Sampling("random", seed=0))
        return self.curve_of(proposal.method, proposal.hyperparameters, number)

    def curve_of(self, method: str, hyperparameters: Hyperparameters, number: int) -> dict[str, Any]:
        """Train a configuration."""
        spec = TrialSpec(number, method, hyperparameters, 0)
        folder = self.folder / str(number)
        losses, training, evaluation, rest = [], [], [], []
        begun, error = 0, None
        with patch("time.perf_counter", time.process_time):
            for step in STEPS:
                result = self.executor.run(SliceTask(spec, folder, begun, step), lambda: False)
                if result.error or result.validation_loss is None:
                    error = result.error
                    break
                losses.append(round(result.validation_loss, 5))
                training.append(round(result.train_seconds, 4))
                evaluation.append(round(result.evaluation_seconds, 4))
                rest.append(round(result.wall_seconds - result.train_seconds - result.evaluation_seconds, 4))
                begun = step
        prune_checkpoints(folder / "checkpoint", None)
        values = {name: float(f"{v:.5g}") if isinstance(v, float) else v for name, v in hyperparameters.items()}
        named = {"method": method, "hyperparameters": values, "error": error}
        return named | {"losses": losses, "training": training, "evaluation": evaluation, "rest": rest}


def _shortened(data: Path, target: Path) -> Path:
    """The data; of articles and their summaries the first words, so that a configuration takes seconds."""
    if data.name != "cnn_dailymail":
        return data
    target.mkdir(parents=True)
    for path in data.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        short = [{"source": row["article"][:200], "target": row["highlights"][:TARGET_CHARACTERS]} for row in rows]
        (target / path.name).write_text("\n".join(map(json.dumps, short)) + "\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    main()
