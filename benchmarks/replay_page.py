"""`replay.md` from the rows of `replay.py`."""

import math
import statistics
from typing import Any

OURS, PLAIN, RANDOM = "autopeft asha", "optuna tpe, no pruning", "random, no pruning"
PEERS = ("optuna tpe, hyperband", "optuna tpe, median", "random, halving", "syne tune asha")
# Tasks whose curves the constants of the schedulers were looked at with; the others judge.
TUNED_ON = ("sst2", "alpaca")
Row = dict[str, Any]


def page(rows: list[Row]) -> str:
    """The tables, and what became of the targets."""
    tasks = sorted({row["task"] for row in rows})
    parts = ["# Searchers on recorded curves", INTRODUCTION]
    for task in tasks:
        parts.append(_table(task, [row for row in rows if row["task"] == task]))
    parts.append(_targets(tasks, rows))
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """Written by `python -m benchmarks.replay`. The curves are of `record_curves.py`: the product's slices,
on `minilm-tiny-distilled` (sst2, ag_news), `stories260k` (alpaca) and `t5-tiny-news` (cnn), eight methods each, a fresh
head, one thread, seconds of the processor. A proposal is replaced by the recorded configuration of its method that is
nearest and not yet taken, and the searcher is told which. A time is in full-length runs of average cost: 10 means what
ten such runs take. Searches end after half of what training every configuration would take; a search that has not come
within 1 % of the best recorded loss by then counts as that whole time, and as missed. Peers are shown on the better of
two ladders of rungs, 12-36-108 and 4-12-36-108 steps; the product on the first, which is its own. It begins with the
recommender's candidates, as in use; the row without starts takes them away."""


def _table(task: str, rows: list[Row]) -> str:
    first = rows[0]
    lines = [
        f"## {task}{' (constants looked at here)' if task in TUNED_ON else ' (judged only)'}",
        f"{first['configurations']} configurations, one at full length {first['full_seconds']:.2f} s, best loss "
        f"{first['best_loss']:.4f}, {len(first['reached_seconds'])} seeds.",
        "",
        "| searcher | rungs | median | quartiles | missed |\n| --- | --- | ---: | ---: | ---: |",
    ]
    for name in sorted({row["searcher"] for row in rows}):
        row = best_ladder(rows, name)
        low, middle, high = (value / row["full_seconds"] for value in _quartiles(row["reached_seconds"]))
        missed = sum(value >= row["budget_seconds"] for value in row["reached_seconds"])
        rungs = "-".join(map(str, row["rungs"][-1:] if "no pruning" in name else row["rungs"]))
        lines.append(f"| {name} | {rungs} | {middle:.1f} | {low:.1f} to {high:.1f} | {missed} |")
    return "\n".join(lines)


def best_ladder(rows: list[Row], name: str) -> Row:
    """The row of a searcher on the ladder that suits it better."""
    own = [row for row in rows if row["searcher"] == name]
    return min(
        own, key=lambda row: (statistics.median(row["reached_seconds"]), statistics.mean(row["reached_seconds"]))
    )


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def _targets(tasks: list[str], rows: list[Row]) -> str:
    against_plain, against_best, worse = {}, {}, []
    for task in tasks:
        own = [row for row in rows if row["task"] == task]
        medians = {name: statistics.median(best_ladder(own, name)["reached_seconds"]) for name in _names(own)}
        against_plain[task] = medians[OURS] / medians[PLAIN]
        against_best[task] = medians[OURS] / min(medians[name] for name in PEERS if name in medians)
        worse += _worse_than_random(task, best_ladder(own, OURS), best_ladder(own, RANDOM))
    lines = ["## The targets", f"Of {OURS}, the default. Ratios of median times; less is better."]
    lines.append("\n| task | against Optuna without pruning | against the best peer |\n| --- | ---: | ---: |")
    lines += [f"| {task} | {against_plain[task]:.2f} | {against_best[task]:.2f} |" for task in tasks]
    lines.append(
        f"| median | {statistics.median(against_plain.values()):.2f} (target 0.33) "
        f"| {statistics.median(against_best.values()):.2f} (target 0.67) |"
    )
    told = "; ".join(worse) if worse else "never"
    lines.append(f"\nWorse than random search by more than one standard error at a quarter of the budget: {told}.")
    return "\n".join(lines)


def _names(rows: list[Row]) -> set[str]:
    return {row["searcher"] for row in rows}


def _worse_than_random(task: str, ours: Row, random: Row) -> list[str]:
    found = []
    for quarter, (mine, theirs) in enumerate(zip(ours["quarters"], random["quarters"], strict=True), 1):
        error = math.sqrt(_squared_error(mine) + _squared_error(theirs))
        gap = statistics.mean(mine) - statistics.mean(theirs)
        if gap > error:
            found.append(f"{task} quarter {quarter} by {gap:.4f} (standard error {error:.4f})")
    return found


def _squared_error(values: list[float]) -> float:
    return statistics.variance(values) / len(values) if len(values) > 1 else 0.0
