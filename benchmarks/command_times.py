"""Whole-process times of `autopeft --help` and of `autopeft recommend` for a 7B model over all methods.

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
RECOMMEND = [*COMMAND, "recommend", "--gpu-mem", "80GB", "--model", "meta-llama/Llama-2-7b-hf", "--format", "json"]


def seconds(command: list[str], cache: str) -> float:
    """One run of a command in a process of its own."""
    environment = os.environ | {"XDG_CACHE_HOME": cache, "HF_HUB_OFFLINE": "1"}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def cold(command: list[str]) -> float:
    """One run with nothing in autopeft's cache."""
    with tempfile.TemporaryDirectory() as cache:
        return seconds(command, cache)


def measure() -> dict[str, list[float]]:
    """Seconds of every run, by what was measured."""
    with tempfile.TemporaryDirectory() as cache:
        seconds(RECOMMEND, cache)
        warm = [seconds(RECOMMEND, cache) for _ in range(5)]
        helps = [seconds([*COMMAND, "--help"], cache) for _ in range(10)]
    imports = [sys.executable, "-c", "import torch, transformers, peft; peft.get_peft_model"]
    return {
        "autopeft --help": helps,
        "recommend, 7B, all methods, cold": [cold(RECOMMEND) for _ in range(3)],
        "recommend, 7B, all methods, warm cache": warm,
        "for comparison: import torch, transformers, peft": [cold(imports) for _ in range(3)],
    }


def main() -> None:
    """Measure, print, write."""
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
