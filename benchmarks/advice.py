"""Whether the advice holds when it is used: the recommender's first candidate, untuned, against plain LoRA.

On three tasks `recommend` is asked with the data set; its first candidate is trained as printed, on three seeds,
beside LoRA at the libraries' defaults (peft's `LoraConfig`: r 8, alpha 8, query and value; transformers'
`TrainingArguments`: learning rate 5e-5, no weight decay), once with the task's batch and once with their batch of 8.
Further runs say whether the advice could have been better: both ends of the printed range of the learning rate, and
the second candidate. All train through the product's own slices, for the length that `autopeft search` gives a full
run, and are scored on the validation rows, by which no arm is chosen.

Needs the folders of `SITUATIONS` under AUTOPEFT_MATERIAL. Each run is kept in `advice.json` as it ends, and none is
done twice:

    python -m benchmarks.advice [--minutes 20] [--only sst2]
    python -m benchmarks.advice --table        # advice.md, from what has been run
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autopeft.api.baselines import measure_baselines
from autopeft.api.planning import CONTROL, provisional_plan
from autopeft.api.preparation import fast_autocast, load_data, load_worker, read_subject
from autopeft.api.pricing import Pricing
from autopeft.api.recommend import recommend
from autopeft.catalog.load import load_catalog
from autopeft.domain.plan import SearchRequest
from autopeft.domain.recommendation import Candidate
from autopeft.domain.trials import Split, TrialSpec
from autopeft.memory.measure import measure_step
from autopeft.training.head_start import linear_head, with_head_start
from autopeft.training.slice import run_slice
from autopeft.training.worker import Worker
from benchmarks.advice_table import DEFAULT_BATCH, DEFAULTS, FIRST, SEEDS, table

HERE = Path(__file__).parent
RUNS, TABLE = HERE / "advice.json", HERE / "advice.md"
CATALOG = load_catalog()
ARMS = (FIRST, DEFAULTS, DEFAULT_BATCH, "first, low end", "first, high end", "second candidate")
# peft 0.21.2 LoraConfig() and transformers 5.23 TrainingArguments(), read off the installed objects.
LIBRARY_DEFAULTS = {"learning_rate": 5e-5, "r": 8, "alpha": 8, "dropout": 0.0, "weight_decay": 0.0}
LIBRARY_BATCH_SIZE = 8
BYTES_PER_PARAMETER = 4


@dataclass(frozen=True)
class Situation:
    """What is asked.

    Attributes:
        data: folder of the material.
        model: folder of the material.
        task: id.
        splits: files of the data; a split that is missing is cut from the training rows.
        rows: of the training file, the first ones.
        max_length: tokens.
        evaluated: validation rows at most.
        fresh_head: whether each seed draws a new head, as a plain script does, rather than start from the linear
            probe, as `autopeft search` does.
        autocast: dtype of matrix products in training, or None.
    """

    data: str
    model: str
    task: str
    splits: tuple[str, ...] = ("train", "validation")
    rows: int = 2000
    max_length: int = 128
    evaluated: int = 872
    fresh_head: bool = False
    autocast: str | None = None

    @property
    def name(self) -> str:
        return f"{self.data}, {self.model}{', fresh head' if self.fresh_head else ''}"


SITUATIONS = (
    Situation("sst2", "minilm-tiny-distilled", "sequence-classification", max_length=64),
    Situation("sst2", "minilm-tiny-distilled", "sequence-classification", max_length=64, fresh_head=True),
    Situation("alpaca_en_demo", "stories260k", "instruction-tuning", splits=("train",)),
    Situation("wikiann_en", "minilm-tiny-distilled", "token-classification", max_length=64, evaluated=500),
    Situation("cnn_dailymail", "t5-tiny-news", "summarization", rows=1000, evaluated=100),
    Situation("sst2", "minilm-l6", "sequence-classification", rows=1000, max_length=64, autocast=fast_autocast()),
)


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        method: id.
        start: hyperparameters.
        predicted_bytes: the printed peak of a step; None where the recommender printed none.
        batch_size: of a step; None for the task's.
    """

    method: str
    start: Mapping[str, Any]
    predicted_bytes: int | None
    batch_size: int | None = None


def arms_of(candidates: tuple[Candidate, ...]) -> dict[str, Arm]:
    """What is trained, by name."""
    first, second = candidates[:2]
    control = next(one for one in candidates if one.method == CONTROL)
    low, high = first.ranges["learning_rate"]
    predicted = first.estimate.peak_bytes
    defaults = dict(control.start) | LIBRARY_DEFAULTS
    arms = (
        Arm(first.method, first.start, predicted),
        Arm(CONTROL, defaults, control.estimate.peak_bytes),
        Arm(CONTROL, defaults, None, LIBRARY_BATCH_SIZE),
        Arm(first.method, dict(first.start) | {"learning_rate": low}, predicted),
        Arm(first.method, dict(first.start) | {"learning_rate": high}, predicted),
        Arm(second.method, second.start, second.estimate.peak_bytes),
    )
    return dict(zip(ARMS, arms, strict=True))


class Bench:
    """One situation: asked, loaded, and ready to train."""

    def __init__(self, situation: Situation, folder: Path) -> None:
        material = Path(os.environ["AUTOPEFT_MATERIAL"])
        dataset = _cut(material / "data" / situation.data, situation, folder / "data")
        model = str(material / "models" / situation.model)
        self.situation, self._folder = situation, folder
        answer = recommend(
            model, task=situation.task, dataset=dataset, max_length=situation.max_length, dtype="float32"
        )
        self.arms = arms_of(answer.candidates)
        request = SearchRequest(
            model=model,
            dataset=dataset,
            task=situation.task,
            max_length=situation.max_length,
            max_evaluation_rows=situation.evaluated,
            confirm_seeds=SEEDS,
        )
        subject = read_subject(request, CATALOG)
        loaded = load_data(request, subject, None, folder / "cache")
        plan = provisional_plan(request, subject, loaded.encoded, situation.autocast)
        worker = load_worker(subject, loaded.encoded, CATALOG, plan, threads=1)
        if linear_head(worker) is not None and not situation.fresh_head:
            head = measure_baselines(worker, loaded.plain).head
            worker = with_head_start(worker, head) if head else worker  # the search probes no token head either
        self._worker, self._subject = worker, subject

    def train(self, name: str, seed: int) -> dict[str, Any]:
        """One run at full length: the row that is kept."""
        arm, situation = self.arms[name], self.situation
        worker = self._with_batch(arm.batch_size)
        spec = TrialSpec(0, arm.method, dict(arm.start), seed)
        steps, folder = worker.plan.full_steps, self._folder / "trial"
        result = run_slice(
            worker,
            spec,
            folder,
            from_step=0,
            to_step=steps,
            should_stop=lambda: False,
            measure_step=measure_step if seed == 0 else None,
        )
        return {
            "situation": situation.name,
            "arm": name,
            "seed": seed,
            "method": arm.method,
            "start": dict(arm.start),
            "batch_size": worker.plan.batch_size,
            "steps": steps,
            "train_rows": worker.data.rows["train"],
            "metric": worker.task.metric,
            "score": result.validation_metric,
            "score_row_error": result.validation_metric_standard_error,
            "loss": result.validation_loss,
            "printed_peak_bytes": arm.predicted_bytes,
            "predicted_peak_bytes": self._predicted(worker, arm) if seed == 0 else None,
            "measured_peak_bytes": result.measured_peak_bytes,
            "step_seconds": result.train_seconds / steps,
            "trained_bytes": result.trainable_parameters * BYTES_PER_PARAMETER,
            "wall_seconds": result.wall_seconds,
            "error": result.error,
        }

    def _with_batch(self, batch_size: int | None) -> Worker:
        """The worker with another batch size and as many passes over the rows."""
        plan = self._worker.plan
        if batch_size is None:
            return self._worker
        steps = plan.full_steps * plan.batch_size // batch_size
        return self._worker.with_plan(replace(plan, batch_size=batch_size, full_steps=steps, rung_steps=(steps,)))

    def _predicted(self, worker: Worker, arm: Arm) -> int | None:
        """Peak bytes predicted for the very batch that is measured."""
        return Pricing(self._subject, CATALOG, worker, None).known_peak_bytes(arm.method, arm.start, Split())


def _cut(source: Path, situation: Situation, folder: Path) -> str:
    """The data set that is asked about: the first training rows, and the other splits whole."""
    folder.mkdir(parents=True)
    for split in situation.splits:
        lines = (source / f"{split}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        kept = lines[: situation.rows] if split == "train" else lines
        (folder / f"{split}.jsonl").write_text("".join(kept), encoding="utf-8")
    return str(folder)


def read_rows() -> list[dict[str, Any]]:
    """What has been run."""
    return json.loads(RUNS.read_text(encoding="utf-8")) if RUNS.exists() else []


def keep(rows: list[dict[str, Any]]) -> None:
    """Write all rows, in one move."""
    temporary = RUNS.with_suffix(".tmp")
    temporary.write_text("[\n" + ",\n".join(json.dumps(one) for one in rows) + "\n]\n", encoding="utf-8")
    os.replace(temporary, RUNS)


def run_missing(rows: list[dict[str, Any]], only: str, arms: tuple[str, ...], ends: float) -> None:
    """Train what is missing of these arms, as long as the time lasts."""
    for situation in (one for one in SITUATIONS if only in one.name):
        done = {(row["arm"], row["seed"]) for row in rows if row["situation"] == situation.name}
        missing = [(arm, seed) for arm in arms for seed in range(SEEDS) if (arm, seed) not in done]
        if not missing or time.monotonic() > ends:
            continue
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(situation, Path(folder))
            for arm, seed in missing:
                if time.monotonic() < ends:
                    rows.append(bench.train(arm, seed))
                    keep(rows)
                    print(json.dumps(rows[-1]), flush=True)


def main() -> None:
    """Run what has not been run, what the verdicts need first; then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=math.inf, help="no run begins later than that")
    parser.add_argument("--only", default="", help="tasks whose name has this in it")
    parser.add_argument("--table", action="store_true", help="only write the table")
    asked = parser.parse_args()
    rows, ends = read_rows(), time.monotonic() + asked.minutes * 60
    if not asked.table:
        for arms in (ARMS[:2], ARMS):
            run_missing(rows, asked.only, arms, ends)
    TABLE.write_text(table(rows, [one.name for one in SITUATIONS], ARMS), encoding="utf-8")


if __name__ == "__main__":
    main()
