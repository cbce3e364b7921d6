"""Random small searches, each with a budget: when they end, and whether they stopped while there was work left.

    AUTOPEFT_MATERIAL=<folder> python -m benchmarks.budgets [--count 20] [--minutes 10]

Search n is always the same: task, budget, workers, scheduler, sampler and caps follow from its number. A later call
goes on where this one ended. Every row is in `budgets.json`. A search keeps its budget where the command ends no more
than 5 s after it, and not before 90 % of it; work is always left, since no number of trials is given.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# No run may depend on those before it.
os.environ["AUTOPEFT_HISTORY"] = "off"

TARGET = Path(__file__).parent / "budgets.json"
LATE_SECONDS, LEAST_SHARE = 5.0, 0.9
# Model, data and task type.
SUBJECTS = (
    ("minilm-tiny-distilled", "sst2", "sequence-classification"),
    ("minilm-tiny-distilled", "ag_news", "sequence-classification"),
    ("minilm-tiny-distilled", "stsb", "sentence-similarity"),
    ("stories260k", "alpaca_en_demo", "instruction-tuning"),
    ("t5-tiny-news", "gsm8k", "text-to-text"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args()
    deadline = time.monotonic() + 60 * asked.minutes
    rows: list[dict[str, Any]] = json.loads(TARGET.read_text()) if TARGET.exists() else []
    while len(rows) < asked.count and time.monotonic() < deadline:
        rows.append(row(len(rows)))
        TARGET.write_text(json.dumps(rows, indent=1) + "\n")
        print(rows[-1], flush=True)
    kept = sum(one["kept"] for one in rows)
    print(f"{kept} of {len(rows)} searches kept their budget")


def row(number: int) -> dict[str, Any]:
    """Run one search and hold its end against its budget."""
    drawn = random.Random(number)
    model, data, task = drawn.choice(SUBJECTS)
    budget_seconds = drawn.randint(40, 90)
    options = {
        "budget": f"{budget_seconds}s",
        "scheduler": drawn.choice(["asha", "hyperband", "freeze-thaw"]),
        "sampler": drawn.choice(["tpe", "random"]),
        "workers": drawn.choice([0, 0, 2]),
        "batch-size": drawn.choice([4, 8, 16]),
        "max-length": drawn.choice([32, 64]),
        "max-train-rows": drawn.choice([200, 400, 800]),
        "max-evaluation-rows": drawn.choice([60, 120]),
        "confirm-seeds": drawn.choice([1, 2]),
        "methods": drawn.choice(["lora", "lora,ia3", "lora,houlsby,ia3"]),
        "threads": 1,
        "seed": number,
    }
    asked = {"model": model, "data": data, "task": task} | options
    return asked | _measured(asked, options, budget_seconds)


def _measured(asked: dict[str, Any], options: dict[str, Any], budget_seconds: float) -> dict[str, Any]:
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "autopeft", "search", f"--model={material / 'models' / asked['model']}"]
        command += [f"--dataset={material / 'data' / asked['data']}", f"--task={asked['task']}", f"--output={run}"]
        began = time.monotonic()
        ended = subprocess.run(
            [*command, *(f"--{name}={value}" for name, value in options.items())], capture_output=True, text=True
        )
        wall_seconds = time.monotonic() - began
        if ended.returncode != 0:
            told = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
            return {"error": told[-1] if told else f"exit status {ended.returncode}", "kept": False}
        result = json.loads((run / "result.json").read_text())
    spent = result["budget"]["spent_seconds"]
    return {
        "budget_seconds": budget_seconds,
        "spent_seconds": round(spent, 1),
        # Of the command: the report is written, and the process ends, after the ledger's last entry.
        "wall_seconds": round(wall_seconds, 1),
        "trials": len(result["trials"]),
        "late_seconds": round(wall_seconds - budget_seconds, 1),
        "used_share": round(wall_seconds / budget_seconds, 3),
        "kept": LEAST_SHARE * budget_seconds <= wall_seconds <= budget_seconds + LATE_SECONDS,
    }


if __name__ == "__main__":
    main()
