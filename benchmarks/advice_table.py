"""The table of `advice.py`: verdicts on the first candidate, and every arm that was run."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from autopeft.domain.metrics import METRICS

FIRST, DEFAULTS, DEFAULT_BATCH = "first candidate", "library defaults", "library defaults, batch 8"
SEEDS = 3

Row = Mapping[str, Any]
Runs = Mapping[int, Row]


def seeds_of(rows: Sequence[Row], situation: str, arm: str) -> Runs:
    """Seed -> the run of it that ended well."""
    chosen = [row for row in rows if (row["situation"], row["arm"]) == (situation, arm) and not row["error"]]
    return {row["seed"]: row for row in chosen}


def lead(ours: Runs, theirs: Runs, key: str, sign: int) -> tuple[float, float]:
    """Mean lead over the seeds that both have, and its standard error; the data order of a seed is the same."""
    gaps = [sign * (ours[seed][key] - theirs[seed][key]) for seed in ours if seed in theirs]
    return mean(gaps), stdev(gaps) / math.sqrt(len(gaps)) if len(gaps) > 1 else math.nan


def judged(rows: Sequence[Row], situation: str, control: str) -> str:
    """One line of the verdict: the first candidate against one of the controls."""
    ours, theirs = seeds_of(rows, situation, FIRST), seeds_of(rows, situation, control)
    if len(ours) < SEEDS or len(theirs) < SEEDS:
        return f"| {situation} | {control} | not all run | | | | | |"
    sign = 1 if METRICS[ours[0]["metric"]].maximize else -1
    ahead, error = lead(ours, theirs, "score", sign)
    less_loss, loss_error = lead(ours, theirs, "loss", -1)
    memory, size = (_ratio(ours[0], theirs[0], key) for key in ("measured_peak_bytes", "trained_bytes"))
    # A run's time is its steps': the same rows take more steps of a smaller batch.
    seconds = mean(_training_seconds(ours).values()) / mean(_training_seconds(theirs).values())
    better = [name for name, is_so in (("score", ahead > error), ("memory", memory < 1), ("size", size < 1)) if is_so]
    gained = f"holds: better in {', '.join(better)}" if better else "does not hold: as good, but nothing is better"
    verdict = gained if ahead >= -error else "does not hold: worse"
    return (
        f"| {situation} | {control} | {ahead:+.4f} ± {error:.4f} | {less_loss:+.3f} ± {loss_error:.3f} | "
        f"{memory:.2f} | {seconds:.2f} | {size:.2f} | {verdict} |"
    )


def _missing(situation: str, arms: Sequence[str]) -> str:
    return f"- {situation}: {'; '.join(arms)}" if arms else ""


def _ratio(ours: Row, theirs: Row, key: str) -> float:
    return float(ours[key] / theirs[key])


def _training_seconds(runs: Runs) -> dict[int, float]:
    return {seed: run["step_seconds"] * run["steps"] for seed, run in runs.items()}


def described(situation: str, arm: str, runs: Runs) -> str:
    """One line of the runs of an arm."""
    one = next(iter(runs.values()))
    memory = one["measured_peak_bytes"]
    return (
        f"| {situation} | {arm} | {one['method']}, {one['start']['learning_rate']:.2g} | "
        f"{one['steps']} x {one['batch_size']} | {one['metric']} {_spread(runs, 'score', 4)} | "
        f"{_spread(runs, 'loss', 3)} | {_mb(one['printed_peak_bytes'])} | {_mb(one['predicted_peak_bytes'])} / "
        f"{_mb(memory)} | {1000 * mean(run['step_seconds'] for run in runs.values()):.0f} | "
        f"{one['trained_bytes'] / 1000:.1f} |"
    )


def _spread(runs: Runs, key: str, digits: int) -> str:
    values = [run[key] for run in runs.values()]
    error = f" ± {stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{error}"


def _mb(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e6:.1f}"


def table(rows: Sequence[Row], situations: Sequence[str], arms: Sequence[str]) -> str:
    """Verdicts, then every arm; what has not been run is said to be."""
    ran = {(one, arm): seeds_of(rows, one, arm) for one in situations for arm in arms}
    missing = [_missing(one, [arm for arm in arms if len(ran[one, arm]) < SEEDS]) for one in situations]
    failed = [f"{row['situation']}, {row['arm']}, seed {row['seed']}: {row['error']}" for row in rows if row["error"]]
    lines = [
        f"<!-- written by `python -m benchmarks.advice --table` from advice.json: {len(rows)} runs -->",
        "",
        "The first candidate, untuned, against LoRA at library defaults. Lead: mean over three seeds, paired by seed,",
        "with its standard error; above 0 the first candidate is better, in the task's metric and in the loss. It",
        "holds where the metric is at least as good within one standard error, and metric (by more than that), memory",
        "or size is better. The last three are the first candidate's share of the control's.",
        "",
        "| task | control | lead, metric | lead, loss | peak | training time | trained bytes | verdict |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
        *(judged(rows, one, control) for one in situations for control in (DEFAULTS, DEFAULT_BATCH)),
        "",
        "Every arm: mean over seeds with its standard error. Printed: the peak that `recommend` shows, for a step",
        "padded to the greatest length; predicted and measured: tensor bytes of the second step of seed 0, its own",
        "batch.",
        "",
        "| task | arm | method, learning rate | steps | metric | loss | printed MB | predicted / measured MB | "
        "ms a step | trained kB |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(described(*key, runs) for key, runs in ran.items() if runs),
    ]
    lines += ["", "Not run on all seeds:", "", *filter(None, missing)] if any(missing) else []
    lines += ["", f"Failed: {'; '.join(failed)}."] if failed else []
    return "\n".join(lines) + "\n"
