"""What a search costs beside training: the share of computing, swapping a trial, a second worker.

    AUTOPEFT_MATERIAL=<folder> python -m benchmarks.overhead [--only share swap workers]

Wants a quiet machine with two free cores, about ten minutes. Writes `overhead.json`, with the load before each part.

- share: of one worker's time from the end of its first slice to that of its last, what went into forward, backward,
  optimizer and evaluation; MiniLM-L6 on SST-2, batches of 16, at most 48 tokens, the memory tracker's step among them.
- swap: of slices that alternate between two trials on one MiniLM-L6, what is neither training nor evaluation: adapter
  built, checkpoint read, checkpoint written.
- workers: slices per second of two workers with one thread each, against one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from autopeft.api.preparation import load_data, load_worker, read_subject
from autopeft.catalog import load_catalog
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import TrialSpec
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.loading import settle
from autopeft.execution.protocol import SliceTask
from autopeft.search.run_directory import RunDirectory

TARGET = Path(__file__).parent / "overhead.json"
SWAPS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    found = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    for part in parser.parse_args().only:
        load = round(os.getloadavg()[0], 2)
        found[part] = PARTS[part]() | {"load_before": load}
        TARGET.write_text(json.dumps(found, indent=1) + "\n")
        print(part, found[part], flush=True)


def material(kind: str, name: str) -> str:
    """A folder of the test material."""
    return str(Path(os.environ["AUTOPEFT_MATERIAL"]) / kind / name)


def share() -> dict[str, Any]:
    """The computing share of one worker, and of a search in its own process."""
    options = {"methods": "lora", "full-steps": 72, "batch-size": 16, "max-length": 48, "max-train-rows": 1500}
    options |= {"max-evaluation-rows": 400, "trials": 6, "top": 1, "confirm-seeds": 1}
    return {f"workers {workers}": _share("minilm-l6", "sst2", options | {"workers": workers}) for workers in (0, 1)}


def _share(model: str, data: str, options: dict[str, Any]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        search(model, data, run, options)
        ends = [p["started_seconds"] + p["seconds"] for p in timeline(run) if p["stage"] == "search"]
        records = [folder.record() for folder in RunDirectory(run).trials()]
    # The first slice, of trial 0, waits for the worker to load.
    slices = [*records[0].slices[1:], *(piece for record in records[1:] for piece in record.slices)]
    held = max(ends) - min(ends)
    computed = sum(piece.train_seconds + piece.evaluation_seconds for piece in slices)
    return {"slices": len(slices), "seconds": round(held, 1), "share": round(computed / held, 4)}


def search(model: str, data: str, run: Path, options: dict[str, Any]) -> None:
    """`autopeft search` from the command line, without a budget of time."""
    asked = {"model": material("models", model), "dataset": material("data", data), "output": run, "seed": 5} | options
    command = [sys.executable, "-m", "autopeft", "search", "--quiet", *(f"--{k}={v}" for k, v in asked.items())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def timeline(run: Path) -> list[dict[str, Any]]:
    """The slices of a finished run."""
    pieces: list[dict[str, Any]] = json.loads((run / "result.json").read_text())["timeline"]
    return pieces


def swap() -> dict[str, Any]:
    """Milliseconds beside training and evaluation, of slices that alternate between two trials; on two clocks."""
    request = SearchRequest(
        material("models", "minilm-l6"),
        material("data", "sst2"),
        "sequence-classification",
        max_train_rows=200,
        max_evaluation_rows=32,
        max_length=32,
    )
    catalog = load_catalog()
    subject = read_subject(request, catalog)
    with tempfile.TemporaryDirectory() as folder:
        encoded = load_data(request, subject, None, Path(folder) / "data").encoded
        plan = TrainingPlan(8, 200, (200,), (0,), None, rung_rows=16)
        executor = InProcessExecutor(load_worker(subject, encoded, catalog, plan, threads=1), measure=False)
        settle()  # as a worker process does
        methods = (catalog.method("lora"), catalog.method("houlsby"))
        specs = [TrialSpec(n, m.id, {k.name: k.default for k in m.knobs}, 0) for n, m in enumerate(methods)]
        wall = _beside(executor, specs, Path(folder) / "wall")
        with patch("time.perf_counter", time.process_time):
            processor = _beside(executor, specs, Path(folder) / "processor")
    return {"swaps": len(wall), "wall": _milliseconds(wall), "processor": _milliseconds(processor)}


def _beside(executor: InProcessExecutor, specs: list[TrialSpec], folder: Path) -> list[float]:
    """Seconds beside training and evaluation of each slice; the first of a trial, which reads no checkpoint, is out."""
    beside = []
    for step in range(1, SWAPS + 2):
        for spec in specs:
            result = executor.run(SliceTask(spec, folder / str(spec.number), step - 1, step), lambda: False)
            beside.append(result.wall_seconds - result.train_seconds - result.evaluation_seconds)
    return beside[len(specs) :]


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    return {"median": round(1000 * statistics.median(seconds), 1), "most": round(1000 * max(seconds), 1)}


def workers() -> dict[str, Any]:
    """Slices per second of one worker process with one thread, and of two."""
    options = {"methods": "lora", "trials": 20, "sampler": "random", "batch-size": 8, "full-steps": 60, "threads": 1}
    options |= {"max-train-rows": 400, "max-evaluation-rows": 120, "top": 1, "confirm-seeds": 1}
    rates = {}
    for count in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            search("minilm-tiny-distilled", "cola", Path(folder) / "run", options | {"workers": count})
            rates[count] = _rate([p for p in timeline(Path(folder) / "run") if p["stage"] == "search"])
    ratio = rates[2]["slices_per_second"] / rates[1]["slices_per_second"]
    return {"one": rates[1], "two": rates[2], "ratio": round(ratio, 2), "cores": os.cpu_count()}


def _rate(slices: list[dict[str, Any]]) -> dict[str, float]:
    """Slices that ended while every worker was at work, and how many a second; loading is left out."""
    ends: dict[str, list[float]] = {}
    for piece in slices:
        ends.setdefault(piece["worker"], []).append(piece["started_seconds"] + piece["seconds"])
    first, last = max(min(own) for own in ends.values()), min(max(own) for own in ends.values())
    count = sum(first < end <= last for own in ends.values() for end in own)
    return {"slices": count, "seconds": round(last - first, 2), "slices_per_second": round(count / (last - first), 3)}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "share": share,
    "swap": swap,
    "workers": workers,
}

if __name__ == "__main__":
    main()
