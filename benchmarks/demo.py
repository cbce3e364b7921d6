"""The demo, as a user runs it: what it found, and where its time went.

Run as `python benchmarks/demo.py [--seed N …] [--run FOLDER …]`: runs the demo with each seed, or reads demos that
were run before; prints a table, writes `demo.json` beside itself.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

COMMAND = [str(Path(sys.executable).parent / "autopeft"), "search", "--demo", "--quiet", "--format", "json"]


def run(seed: int) -> dict[str, Any]:
    """The result of one demo, run now."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*COMMAND, "--seed", str(seed), "--output", f"{folder}/run"]
        result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def row_of(result: dict[str, Any]) -> dict[str, Any]:
    """Of a result, what the table shows."""
    best, budget = result["best"], result["budget"]
    return {
        "seed": result["seeds"]["search"],
        "winner": best["method"],
        "hyperparameters": best["hyperparameters"],
        "test": best["test_metric"],
        "test_standard_error": best["test_standard_error"],
        "baselines": {one["name"]: one["test_metric"] for one in result["baselines"]},
        "verdict": result["verdict"],
        "trials": len(result["trials"]),
        "full_steps": budget["full_steps"],
        "spent_seconds": round(budget["spent_seconds"], 1),
        "budget_seconds": budget["budget_seconds"],
        "compute_share": round(budget["compute_share"], 4),
        "ledger": {name: round(value, 2) for name, value in budget["ledger"].items()},
        "memory": [
            [trial["method"], trial["predicted_peak_bytes"], trial["measured_peak_bytes"]]
            for trial in result["trials"]
            if trial["measured_peak_bytes"]
        ],
    }


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[])
    parser.add_argument("--run", type=Path, nargs="+", default=[])
    asked = parser.parse_args()
    results = [json.loads((folder / "result.json").read_text()) for folder in asked.run]
    results += [run(seed) for seed in asked.seed or ([] if asked.run else [0])]
    rows = [row_of(result) for result in results]
    names = list(rows[0]["baselines"])
    header = ["seed", "winner", "test", *names, "trials", "steps", "seconds", "compute share"]
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    for row in rows:
        figures = [f"{row['test']:.3f} ± {row['test_standard_error']:.3f}"]
        figures += [f"{row['baselines'][name]:.3f}" for name in names]
        tail = [row["trials"], row["full_steps"], row["spent_seconds"], f"{row['compute_share']:.1%}"]
        print("| " + " | ".join(map(str, [row["seed"], row["winner"], *figures, *tail])) + " |")
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
