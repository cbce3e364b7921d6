"""Whole-process times of `autopeft --help` and of `autopeft recommend` for a 7B model over all default methods.

Cold is a first question, traced in one process and in two; warm is the same question again, answered from the cache.
At 80 GB every method runs its step as asked; at 24 GB each looks for the largest micro-batch that fits.

Run as `python benchmarks/command_times.py`; prints a table, writes `command_times.json` beside itself.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

COMMAND = [str(Path(sys.executable).parent / "autopeft")]
WORKERS = (1, 2)


def recommend(memory: str) -> list[str]:
    """The command for a budget."""
    return [*COMMAND, "recommend", "--gpu-mem", memory, "--model", "meta-llama/Llama-2-7b-hf", "--format", "json"]


def seconds(command: list[str], cache: str, workers: int = 2) -> float:
    """One run of a command in a process of its own, which prices in `workers` processes."""
    environment = os.environ | {"XDG_CACHE_HOME": cache, "HF_HUB_OFFLINE": "1", "AUTOPEFT_WORKERS": str(workers)}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def cold(command: list[str], workers: int = 2) -> float:
    """One run with nothing in autopeft's cache."""
    with tempfile.TemporaryDirectory() as cache:
        return seconds(command, cache, workers)


def methods_priced() -> int:
    """How many methods the recommendation is about."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache, "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(recommend("80GB"), env=environment, check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    return len(answer["candidates"]) + len(answer["excluded"])


def measure() -> dict[str, list[float]]:
    """Seconds of every run, by what was measured."""
    with tempfile.TemporaryDirectory() as cache:
        seconds(recommend("24GB"), cache)
        warm = [seconds(recommend("24GB"), cache) for _ in range(5)]
        helps = [seconds([*COMMAND, "--help"], cache) for _ in range(10)]
    imports = [sys.executable, "-c", "import torch, transformers, peft; peft.get_peft_model"]
    first = {
        f"recommend, 7B, {memory}, cold, {workers} process{'es' if workers > 1 else ''}": [
            cold(recommend(memory), workers) for _ in range(3)
        ]
        for memory in ("80GB", "24GB")
        for workers in WORKERS
    }
    return {
        "autopeft --help": helps,
        **first,
        "recommend, 7B, 24GB, warm cache": warm,
        "for comparison: import torch, transformers, peft": [cold(imports) for _ in range(3)],
    }


def main() -> None:
    """Measure, print, write."""
    print(f"{methods_priced()} methods\n")
    rows = measure()
    print("| what | runs | median s | least s | greatest s |\n| --- | ---: | ---: | ---: | ---: |")
    for name, values in rows.items():
        print(f"| {name} | {len(values)} | {median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")
    target = Path(__file__).with_suffix(".json")
    target.write_text(
        json.dumps({name: [round(v, 3) for v in values] for name, values in rows.items()}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
