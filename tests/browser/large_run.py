"""A made-up run of 200 trials, for the browser."""

import json
import random
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden" / "report.result.json"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
TRIALS = 200


def large_result() -> dict[str, Any]:
    """The golden result blown up to 200 trials over three rungs, two workers, some failed, one with markup in it."""
    result = json.loads(GOLDEN.read_text(encoding="utf-8"))
    drawn, patterns = random.Random(3), result["trials"]
    result["trials"] = [_trial(number, drawn, patterns[number % len(patterns)]) for number in range(TRIALS)]
    result["trials"][7]["title"] = "<script>document.title = 'broken'</script>"
    result["data"]["labels"]["<img src=x onerror=alert(1)>"] = 3
    result["timeline"] = [
        {
            "worker": f"worker {number % 2}",
            "name": f"trial {number}",
            "trial": number,
            "stage": "search",
            "to_step": 40,
            "started_seconds": 10.0 * (number // 2),
            "seconds": 9.0,
        }
        for number in range(TRIALS)
    ]
    return result


def _trial(number: int, drawn: random.Random, pattern: dict[str, Any]) -> dict[str, Any]:
    trial = json.loads(json.dumps(pattern)) | {"number": number}
    knobs = trial["hyperparameters"]
    knobs["learning_rate"] = 10 ** drawn.uniform(-5, -1)
    for rung in trial["rungs"]:
        rung["validation_loss"] += drawn.gauss(0, 0.08)
    for point in trial["curve"]:
        point[1] += drawn.gauss(0, 0.05)
    for name in ("predicted_peak_bytes", "measured_peak_bytes"):
        trial[name] = trial[name] and round(trial[name] * drawn.uniform(0.8, 1.3))
    return trial
