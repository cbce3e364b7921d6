"""The facts of the search: the leaderboard, the learning curves and the scores by method."""

from collections import Counter
from dataclasses import dataclass, replace
from statistics import median, stdev

from autopeft.reporting.reading import Pairs, Record, number, pairs, points, records, text, whole

HIGHLIGHTED = 5
"""Curves that are drawn in colour: the best of the leaderboard."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One line of the leaderboard.

    Attributes:
        rank: 1 is best; None for a trial that reached no rung or failed.
        number: of the trial.
        state: running, paused, stopped, finished, failed or oom.
        method: id.
        title: of the method, for people.
        hyperparameters: name and value.
        origin: `start` (the recommender's starting values), `sampler`, `history` or `taken over`.
        steps: of the last rung that was reached.
        loss: validation loss there.
        standard_error: of that loss, over examples.
        metric: on the same sample.
        seconds: that the trial took.
        predicted_peak_bytes: by the estimate.
        measured_peak_bytes: by the tracker or by CUDA.
        trainable_parameters: with the head.
        error: why it failed, or None.
        confirmed: whether it went on to full length on several seeds.
    """

    rank: int | None
    number: int
    state: str
    method: str
    title: str
    hyperparameters: Pairs
    origin: str | None
    steps: int | None
    loss: float | None
    standard_error: float | None
    metric: float | None
    seconds: float | None
    predicted_peak_bytes: int | None
    measured_peak_bytes: int | None
    trainable_parameters: int | None
    error: str | None
    confirmed: bool

    @property
    def failed(self) -> bool:
        """Whether the trial ended in an error."""
        return self.state in ("failed", "oom") or self.error is not None

    @property
    def label(self) -> str:
        """For legends and tooltips."""
        return f"#{self.number} {self.title}"


@dataclass(frozen=True, slots=True)
class Curve:
    """Learning curve of one trial: (step, training loss), and (step, validation loss, standard error)."""

    number: int
    rank: int | None
    title: str
    train: tuple[tuple[float, float], ...]
    validation: tuple[tuple[float, float, float | None], ...]

    @property
    def highlighted(self) -> bool:
        """Whether it is one of the best few."""
        return self.rank is not None and self.rank <= HIGHLIGHTED

    @property
    def label(self) -> str:
        """For the legend."""
        return f"#{self.number} {self.title}"


@dataclass(frozen=True, slots=True)
class Curves:
    """All learning curves, and the range of losses that is drawn.

    Attributes:
        curves: by rank, the unranked last.
        low: least loss drawn.
        high: greatest loss drawn; what lies above is cut off, so that a trial that diverged does not flatten
            the others.
        cut: curves that reach above `high`.
    """

    curves: tuple[Curve, ...]
    low: float
    high: float
    cut: int


@dataclass(frozen=True, slots=True)
class MethodScores:
    """What the trials of one method reached at the rung that most trials share.

    Attributes:
        method: id.
        title: for people.
        trials: that were started.
        failed: among them.
        losses: validation losses at the rung, ascending.
        best: the least of them.
        middle: their median.
        spread: sample standard deviation over the trials; None with fewer than two.
    """

    method: str
    title: str
    trials: int
    failed: int
    losses: tuple[float, ...]
    best: float | None
    middle: float | None
    spread: float | None


def read_leaderboard(result: Record) -> tuple[TrialRow, ...]:
    """All trials, best first: the furthest rung counts first, then the validation loss there.

    Losses of different rungs are not comparable; a trial reached its rung because it was better below.
    """
    confirmed = {whole(entry, "trial") for entry in records(result, "confirmed") if text(entry, "role") != "control"}
    rows = [_row(trial, place, confirmed) for place, trial in enumerate(records(result, "trials"))]
    ranked = sorted((row for row in rows if _ranks(row)), key=_merit)
    numbered = [replace(row, rank=rank) for rank, row in enumerate(ranked, start=1)]
    return tuple(numbered + [row for row in rows if not _ranks(row)])


def read_curves(result: Record, leaderboard: tuple[TrialRow, ...]) -> Curves:
    """The learning curves, in the leaderboard's order."""
    raw = trials_by_number(result)
    read = [_curve(raw[row.number], row) for row in leaderboard]
    curves = tuple(curve for curve in read if curve.train or curve.validation)
    highlighted = [loss for curve in curves if curve.highlighted for loss in _losses(curve)]
    seen = highlighted or [loss for curve in curves for loss in _losses(curve)] or [0.0, 1.0]
    starts = [_losses(curve)[0] for curve in curves]
    low = min([*seen, *(loss for curve in curves for loss in _losses(curve))])
    high = max([*seen, *([median(starts)] if starts else [])])
    return Curves(curves, low, high, sum(max(_losses(curve)) > high for curve in curves))


def common_rung(result: Record) -> int | None:
    """The step at which most trials were evaluated; the later one of equals."""
    steps = Counter(whole(rung, "step") for trial in records(result, "trials") for rung in records(trial, "rungs"))
    known = [(count, step) for step, count in steps.items() if step is not None]
    return max(known)[1] if known else None


def losses_at(result: Record, step: int | None) -> dict[int, float]:
    """Validation loss at the rung `step`, by number of the trial."""
    return {
        trial_number: loss
        for trial_number, trial in trials_by_number(result).items()
        for rung in records(trial, "rungs")
        if whole(rung, "step") == step and (loss := number(rung, "validation_loss")) is not None
    }


def trials_by_number(result: Record) -> dict[int, Record]:
    """The raw trials, by number."""
    return {_number(trial, place): trial for place, trial in enumerate(records(result, "trials"))}


def read_methods(result: Record, leaderboard: tuple[TrialRow, ...]) -> tuple[MethodScores, ...]:
    """Scores by method at the common rung, best first; methods without a score last."""
    at_rung = losses_at(result, common_rung(result))
    losses: dict[str, list[float]] = {row.method: [] for row in leaderboard}
    for row in leaderboard:
        losses[row.method] += [at_rung[row.number]] if row.number in at_rung else []
    scores = [_scores(method, sorted(values), leaderboard) for method, values in losses.items()]
    return tuple(sorted(scores, key=lambda s: (s.best is None, s.best if s.best is not None else 0.0, s.method)))


def _scores(method: str, losses: list[float], leaderboard: tuple[TrialRow, ...]) -> MethodScores:
    rows = [row for row in leaderboard if row.method == method]
    return MethodScores(
        method=method,
        title=rows[0].title,
        trials=len(rows),
        failed=sum(row.failed for row in rows),
        losses=tuple(losses),
        best=losses[0] if losses else None,
        middle=median(losses) if losses else None,
        spread=stdev(losses) if len(losses) > 1 else None,
    )


def _row(trial: Record, place: int, confirmed: set[int | None]) -> TrialRow:
    rungs = [rung for rung in records(trial, "rungs") if number(rung, "validation_loss") is not None]
    last: Record = max(rungs, key=lambda rung: number(rung, "step") or 0.0, default={})
    method = _method(trial, place)
    return TrialRow(
        rank=None,
        number=_number(trial, place),
        state=text(trial, "state") or "unknown",
        method=method,
        title=text(trial, "title") or method,
        hyperparameters=pairs(trial, "hyperparameters"),
        origin=text(trial, "origin"),
        steps=whole(last, "step"),
        loss=number(last, "validation_loss"),
        standard_error=number(last, "standard_error"),
        metric=number(last, "validation_metric"),
        seconds=number(trial, "seconds"),
        predicted_peak_bytes=whole(trial, "predicted_peak_bytes"),
        measured_peak_bytes=whole(trial, "measured_peak_bytes"),
        trainable_parameters=whole(trial, "trainable_parameters"),
        error=text(trial, "error"),
        confirmed=_number(trial, place) in confirmed,
    )


def _curve(trial: Record, row: TrialRow) -> Curve:
    rungs = [
        (number(r, "step"), number(r, "validation_loss"), number(r, "standard_error")) for r in records(trial, "rungs")
    ]
    validation = tuple((step, loss, error) for step, loss, error in rungs if step is not None and loss is not None)
    return Curve(row.number, row.rank, row.title, points(trial, "curve"), validation)


def _losses(curve: Curve) -> list[float]:
    return [loss for _, loss in curve.train] + [loss for _, loss, _ in curve.validation]


def _merit(row: TrialRow) -> tuple[int, float, int]:
    return -(row.steps or 0), row.loss if row.loss is not None else 0.0, row.number


def _ranks(row: TrialRow) -> bool:
    return row.loss is not None and not row.failed


def _number(trial: Record, place: int) -> int:
    found = whole(trial, "number")
    return place if found is None else found


def _method(trial: Record, place: int) -> str:
    return text(trial, "method") or f"trial {_number(trial, place)}"
