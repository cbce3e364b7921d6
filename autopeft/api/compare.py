"""`compare`: several finished runs side by side, paired over the test rows where they share them; without torch."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autopeft.api.run import SearchResult
from autopeft.errors import UsageError
from autopeft.search.run_directory import intact, read_json
from autopeft.search.verdict import NORMAL_95
from autopeft.search.verdict import compare as paired

LEAST_RUNS = 2
# Scores of rows are kept with six decimals.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What one run found; None where it is unknown.

    Attributes:
        run: the run directory.
        model: base model.
        dataset: that it was searched on.
        task: id.
        method: title of the winner.
        metric: name.
        test_metric: of the winner, measured once.
        test_standard_error: of it, over rows.
        validation_mean: of the winner over its seeds.
        trainable_parameters: of the winner.
        measured_peak_bytes: of a training step.
        spent_seconds: of the whole search.
        trials: that were started.
    """

    run: str
    model: str
    dataset: str
    task: str
    method: str
    metric: str
    test_metric: float
    test_standard_error: float
    validation_mean: float | None
    trainable_parameters: int | None
    measured_peak_bytes: int | None
    spent_seconds: float
    trials: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A run against the first one.

    Attributes:
        run: the run directory.
        against: the first run's directory.
        difference: of the test metrics, in the metric's unit; above 0 is better. None where they cannot be compared.
        half_width: of its 95 % interval.
        paired: whether it was taken row by row, over the same test rows.
        tie: whether the interval holds 0.
        note: why it is not paired, or why there is none.
    """

    run: str
    against: str
    difference: float | None
    half_width: float | None
    paired: bool
    tie: bool | None
    note: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Runs side by side.

    Attributes:
        runs: in the order given.
        differences: each run after the first against the first.
    """

    runs: tuple[RunFigures, ...]
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"runs": [asdict(run) for run in self.runs], "differences": [asdict(one) for one in self.differences]}


@dataclass(frozen=True, slots=True)
class _Read:
    """A run's figures, and what decides whether it shares rows with another."""

    figures: RunFigures
    sign: int
    rows_of: tuple[Any, ...]
    row_scores: tuple[float, ...]

    @property
    def scores_make_metric(self) -> bool:
        """Whether the metric is the mean of the row scores, so that it can be paired."""
        if not self.row_scores:
            return False
        mean = math.fsum(self.row_scores) / len(self.row_scores)
        return math.isclose(self.sign * mean, self.figures.test_metric, abs_tol=_ROUNDING)


def compare(runs: Sequence[str | Path]) -> Compared:
    """Compare finished runs.

    Where two were tested on the same rows, their winners are compared row by row, which tells much smaller
    differences apart; else by the standard errors of the two figures alone.

    Args:
        runs: two or more run directories; the others are held against the first.

    Raises:
        UsageError: fewer than two.
        InputError: one of them is no run, or has no winner.
    """
    if len(runs) < LEAST_RUNS:
        raise UsageError("there is nothing to compare", hint="name two runs or more")
    read = [_read(SearchResult(run)) for run in runs]
    return Compared(tuple(one.figures for one in read), tuple(_difference(one, read[0]) for one in read[1:]))


def _read(run: SearchResult) -> _Read:
    best, result = run.best.entry, run.result
    final = read_json(run.path / "final.json")
    with intact(run.path / "result.json"):
        asked, data, metric = result["asked"], result["data"], result["metric"]
        figures = RunFigures(
            run=str(run.path),
            model=str(asked["model"]),
            dataset=str(asked["dataset"]),
            task=str(asked["task"]),
            method=str(best["title"]),
            metric=str(metric["name"]),
            test_metric=float(best["test_metric"]),
            test_standard_error=float(best["test_standard_error"]),
            validation_mean=best["validation_mean"],
            trainable_parameters=best["trainable_parameters"],
            measured_peak_bytes=best["measured_peak_bytes"],
            spent_seconds=float(result["budget"]["spent_seconds"]),
            trials=len(result["trials"]),
        )
        rows_of: tuple[Any, ...] = (data["fingerprint"], data["rows"]["test"], asked["task"], metric["name"])
        if data["labels"] is None:
            # Rows of a language model are cut by its own tokenizer.
            rows_of += (asked["model"], data["max_length"])
    return _Read(figures, 1 if metric["maximize"] else -1, rows_of, tuple(final.get("row_scores", ())))


def _difference(one: _Read, first: _Read) -> Difference:
    mine, theirs = one.figures, first.figures
    if mine.metric != theirs.metric:
        note = f"{mine.metric} and {theirs.metric} are different metrics"
        return Difference(mine.run, theirs.run, None, None, False, None, note)
    shared = one.rows_of == first.rows_of and len(one.row_scores) == len(first.row_scores)
    if shared and one.scores_make_metric and first.scores_make_metric:
        found = paired(one.row_scores, first.row_scores)
        return Difference(mine.run, theirs.run, found.difference, found.half_width, True, found.tie, "")
    difference = one.sign * (mine.test_metric - theirs.test_metric)
    half_width = NORMAL_95 * math.hypot(mine.test_standard_error, theirs.test_standard_error)
    note = f"{mine.metric} is no mean over rows" if shared else "the runs were tested on different rows"
    return Difference(mine.run, theirs.run, difference, half_width, False, abs(difference) <= half_width, note)
