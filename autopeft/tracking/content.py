"""What trackers are told, in the same words for each: names, parameters, curves and figures."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autopeft.domain.callbacks import SliceEnded
from autopeft.domain.knobs import Value

Point = tuple[int, dict[str, float]]
REPORT_FILES = ("report.html", "report.md", "leaderboard.csv", "result.json")
TRIAL_FILES = ("spec.json", "events.jsonl", "error.txt")
ADAPTER = "best_adapter"


def name_of(ended: SliceEnded) -> str:
    """A training run's name for people: `trial 7: lora`, with the seed where it was confirmed."""
    spec = ended.spec
    run = f"trial {spec.number}" if spec.number >= 0 else "control"
    seed = "" if ended.key.startswith("trials/") else f", seed {spec.seed}"
    return f"{run}: {spec.method}{seed}"


def parameters_of(ended: SliceEnded) -> dict[str, Value]:
    """Method, seed and hyperparameters, by name."""
    return {"method": ended.spec.method, "seed": ended.spec.seed, **ended.spec.hyperparameters}


def curve_of(ended: SliceEnded) -> list[Point]:
    """(step, figures), ascending: training loss on the way, what was measured at the slice's end."""
    result = ended.result
    points: list[Point] = [(step, {"train_loss": loss}) for step, loss in result.train_losses]
    last: dict[str, float | None] = {
        "validation_loss": result.validation_loss,
        "validation_metric": result.validation_metric,
        "slice_seconds": result.wall_seconds,
        "measured_peak_bytes": result.measured_peak_bytes,
    }
    return merged([*points, (result.to_step, finite(last))])


def merged(points: list[Point]) -> list[Point]:
    """One point for each step, as trackers with a growing step need it."""
    by_step: dict[int, dict[str, float]] = {}
    for step, figures in points:
        by_step.setdefault(step, {}).update(finite(figures))
    return sorted(by_step.items())


def finite(figures: Mapping[str, float | None]) -> dict[str, float]:
    """The figures that there are: no None, and nothing infinite, which some trackers refuse."""
    return {name: float(value) for name, value in figures.items() if value is not None and math.isfinite(value)}


def trials_of(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Key -> entry in result.json of every search trial."""
    return {f"trials/{trial['number']:04d}": trial for trial in result["trials"]}


def state_of(result: Mapping[str, Any], key: str, folder: Path) -> str:
    """Of a training run, in the words of result.json; where that tells none, as of the confirm stage, by its slices.

    Args:
        result: the content of result.json.
        key: of the training run.
        folder: its own, with `events.jsonl`.
    """
    trial = trials_of(result).get(key)
    if trial is not None:
        return str(trial["state"])
    if result["status"] == "finished":
        return "finished"
    return "finished" if _steps_done(folder) >= result["budget"]["full_steps"] else "paused"


def _steps_done(folder: Path) -> int:
    """By the last of its slices; 0 where that cannot be read."""
    try:
        return int(json.loads((folder / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1])["to_step"])
    except (OSError, IndexError, KeyError, TypeError, ValueError):
        return 0


def asked_of(result: Mapping[str, Any]) -> dict[str, str]:
    """What the search was asked to do, for the run of the whole search."""
    return {name: str(value) for name, value in result["asked"].items() if value is not None}


def figures_of(result: Mapping[str, Any]) -> dict[str, float]:
    """What the whole search came to."""
    best = result["best"] or {}
    names = ("test_metric", "test_loss", "validation_mean", "adapter_bytes", "measured_peak_bytes")
    return finite({f"best_{name}": best.get(name) for name in names} | {"trials": len(result["trials"])})


def files_in(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Those of the files that are there."""
    return (folder / name for name in names if (folder / name).is_file())
