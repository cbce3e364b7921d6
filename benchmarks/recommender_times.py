"""What recommending takes beside the memory estimates, in CPU seconds, which other work on the machine hardly changes.

    PYTHONPATH=. python -m benchmarks.recommender_times

Reading and checking the rules alone and the whole catalogue; ranking the default methods where every estimate is
already in memory; and whole processes with all estimates on disk, of which `estimate` reads one and `recommend` all.
Prints a table and writes `recommender_times.json` beside this file.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from autopeft.api.recommend import rank_methods
from autopeft.api.request import StepOptions, choose_methods, read_request
from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import MemoryEstimate
from autopeft.memory.estimate import TracingEstimator
from autopeft.recommend.options import Options
from benchmarks.scenarios import seconds_to_check

MODEL, TASK, BUDGET_BYTES = "bert-base-uncased", "sequence-classification", 24_000_000_000
RUNS = 7
ASKED = ["--model", MODEL, "--task", TASK, "--gpu-mem", "24GB", "--format", "json"]
COMMANDS = {
    "recommend, whole process, estimates on disk": ["recommend", *ASKED],
    "estimate, whole process, estimate on disk": ["estimate", *ASKED, "--method", "lora"],
}
# What is promised, in seconds.
TARGETS = {"reading and checking the rules": 0.5, "ranking, estimates in memory": 0.3}


class Remembered:
    """An estimator that makes each estimate once."""

    def __init__(self, inner: Callable[..., MemoryEstimate]) -> None:
        self._inner = inner
        self._made: dict[str, MemoryEstimate] = {}

    def __call__(self, *asked: Any) -> MemoryEstimate:
        """The estimate, from memory where it was asked for before."""
        key = repr(asked)
        if key not in self._made:
            self._made[key] = self._inner(*asked)
        return self._made[key]


def ranking() -> tuple[list[float], int]:
    """CPU seconds of each ranking after the first, and how many methods it is of."""
    catalog = load_catalog()
    request = read_request(catalog, MODEL, TASK, StepOptions(None, None, "bfloat16", False, 2))
    chosen = choose_methods(catalog, None, None)
    estimator = Remembered(TracingEstimator(catalog))
    options = Options(shape=request.shape, budget_bytes=BUDGET_BYTES)

    def rank() -> None:
        rank_methods(request, chosen, options, estimator)

    rank()
    return [_cpu_seconds(rank) for _ in range(RUNS)], len(chosen)


def _cpu_seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def whole_processes() -> dict[str, list[float]]:
    """CPU seconds of each command, in processes of their own, when all estimates are on disk."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache, "HF_HUB_OFFLINE": "1"}
        for command in COMMANDS.values():
            _child_seconds(command, environment)
        return {name: [_child_seconds(one, environment) for _ in range(RUNS)] for name, one in COMMANDS.items()}


def _child_seconds(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "autopeft", *command], env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, print, write."""
    rules, catalog = seconds_to_check()
    ranked, methods = ranking()
    found = {
        "reading and checking the rules": [rules],
        "reading and checking the whole catalogue": [catalog],
        "ranking, estimates in memory": ranked,
        **whole_processes(),
    }
    print(f"{methods} methods, {MODEL}\n")
    print("| what | median CPU s | greatest | target |\n| --- | ---: | ---: | ---: |")
    for name, values in found.items():
        print(f"| {name} | {median(values):.3f} | {max(values):.3f} | {TARGETS.get(name, '')} |")
    rows = {
        "model": MODEL,
        "methods": methods,
        "cpu_seconds": {name: [round(v, 4) for v in found[name]] for name in found},
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
