"""The sections of `report.md` about the search: trials, seeds, curves, memory, time and what failed."""

from autopeft.reporting import wording
from autopeft.reporting.facts import Report
from autopeft.reporting.marks import inline, named, section, table
from autopeft.reporting.trials import TrialRow


def curves(picture: str) -> str:
    """The learning curves; empty without a picture."""
    note = (
        "Lines: training loss. Marks: validation loss at the rungs, with one standard error. In colour: the"
        " best of the leaderboard."
    )
    return section("Learning curves", picture, note) if picture else ""


def leaderboard(report: Report) -> str:
    """All trials, best first."""
    if not report.leaderboard:
        return section("All trials", "No trial was started.")
    header = [
        "Rank",
        "Trial",
        "Method",
        "State",
        "Steps",
        "Validation loss",
        *_beside_loss(report, report.metric.name),
        "Peak memory",
        "Time",
        "Hyperparameters",
    ]
    note = (
        "Ordered by the furthest rung, then by the validation loss there; ± is one standard error, and"
        " neighbours within it are a tie. Peak memory is measured, or predicted where it was not (marked ~)."
    )
    rows = [_trial(row, report) for row in report.leaderboard]
    return section("All trials", table(header, rows, right=(0, 1, *range(4, len(header) - 1))), inline(note))


def _trial(row: TrialRow, report: Report) -> tuple[str, ...]:
    metric = report.metric
    guessed = f"~{wording.size(row.predicted_peak_bytes)}" if row.predicted_peak_bytes else wording.UNKNOWN
    return (
        str(row.rank or ""),
        str(row.number),
        row.title,
        ("out of memory" if row.state == "oom" else row.state) + (", confirmed" if row.confirmed else ""),
        "" if row.steps is None else wording.whole(row.steps),
        "" if row.loss is None else wording.with_spread(row.loss, row.standard_error, metric.loss_decimals),
        *_beside_loss(report, "" if row.metric is None else wording.score(row.metric, metric.decimals)),
        wording.size(row.measured_peak_bytes) if row.measured_peak_bytes else guessed,
        wording.duration(row.seconds),
        wording.knobs(row.hyperparameters),
    )


def confirmed(report: Report) -> str:
    """Every full-length run."""
    if not report.trained:
        return ""
    metric = report.metric
    rows = [
        (
            named(contender.label, contender.detail),
            wording.UNKNOWN if run.seed is None else str(run.seed),
            wording.whole(run.steps),
            *_beside_loss(report, wording.score(run.metric, metric.decimals)),
            wording.score(run.loss, metric.loss_decimals),
            wording.duration(run.train_seconds),
        )
        for contender in report.trained
        for run in contender.seeds
    ]
    measured = (*_beside_loss(report, f"Validation {metric.name}"), "Validation loss")
    header = ["Contender", "Seed", "Steps", *measured, "Training time"]
    return section("Confirmation, seed by seed", table(header, rows, right=range(1, len(header))))


def methods(report: Report, picture: str) -> str:
    """What the trials of each method reached."""
    if not picture:
        return ""
    decimals = report.metric.loss_decimals
    rows = [
        (
            scores.title,
            str(scores.trials),
            str(scores.failed),
            *(wording.score(value, decimals) for value in (scores.best, scores.middle, scores.spread)),
        )
        for scores in report.methods
    ]
    header = ["Method", "Trials", "Failed", "Best loss", "Median", "Spread over trials"]
    note = f"Validation loss at step {wording.whole(report.rung)}, where most trials were compared."
    return section("Score by method", picture, table(header, rows, right=range(1, 6)), note)


def parallel(report: Report, picture: str) -> str:
    """Every trial at a glance; empty without a picture."""
    note = (
        "A line is one trial, through its method, its hyperparameters, its trainable parameters and its validation"
        f" loss at step {wording.whole(report.rung)}. In colour: the best of the leaderboard."
    )
    return section("Every trial at a glance", picture, note) if picture else ""


def importances(report: Report, picture: str) -> str:
    """Which choice mattered; empty where nothing is known."""
    facts = report.importances
    if facts is None:
        return ""
    count = "" if facts.trials is None else f", over {wording.plural(facts.trials, 'trial')}"
    note = (
        f"By {facts.evaluator}{count}: how much a choice tells the best tenth of the trials from the rest. With few"
        " trials this is a hint and no proof."
    )
    rows = [(entry.name, wording.percent(entry.share)) for entry in facts.entries if entry.share >= 0.01]
    return section("Which choice mattered", picture, table(["Choice", "Share"], rows, right=(1,)), inline(note))


def tradeoffs(report: Report, picture: str) -> str:
    """Loss against each kind of cost: the trials that no other beats at both."""
    if not report.tradeoffs:
        return ""
    decimals = report.metric.loss_decimals
    rows = [
        (tradeoff.name, f"#{point.number}", tradeoff.words(point.cost), wording.score(point.loss, decimals))
        for tradeoff in report.tradeoffs
        for point in tradeoff.points
        if point.front
    ]
    header = ["Cost", "Trial", "Costs", f"Validation loss at step {wording.whole(report.rung)}"]
    note = "Trials that no other beats at both. In the picture they are squares."
    return section("Loss against cost", picture, table(header, rows, right=(2, 3)), note)


def timeline(report: Report, picture: str) -> str:
    """What each worker did; empty where it was not recorded."""
    rows = [(lane.worker, str(len(lane.pieces)), wording.duration(lane.busy_seconds)) for lane in report.timeline]
    header = ["Worker", "Slices", "Busy"]
    return section("What each worker did when", picture, table(header, rows, right=(1, 2))) if rows else ""


def memory(report: Report, picture: str) -> str:
    """Predicted against measured."""
    facts = report.memory
    if not facts.points:
        return section("Memory, predicted and measured", "No configuration has both figures yet.")
    said = (
        f"Over {wording.plural(len(facts.points), 'configuration')} the prediction is off by"
        f" {wording.percent(facts.mean_absolute_error, 1)} on average"
        f" ({facts.kind or 'kind of measurement unknown'})."
    )
    rows = [
        (
            m.title,
            str(m.count),
            wording.size(m.predicted_bytes),
            wording.size(m.measured_bytes),
            wording.signed_percent(m.error),
        )
        for m in facts.methods
    ]
    header = ["Method", "Configurations", "Predicted", "Measured", "Mean error"]
    return section("Memory, predicted and measured", inline(said), picture, table(header, rows, right=range(1, 5)))


def time(report: Report, picture: str) -> str:
    """The ledger."""
    time = report.time
    said = f"{wording.duration(time.spent_seconds)} spent"
    said += f" of a budget of {wording.duration(time.budget_seconds)}" if time.budget_seconds is not None else ""
    if time.compute_share is not None:
        share = wording.percent(time.compute_share)
        said += f"; {share} of the time after start-up went into forward, backward, optimizer and evaluation"
    rows = [(entry.label, wording.duration(entry.seconds), wording.percent(entry.share, 1)) for entry in time.entries]
    ledger = table(["Part", "Time", "Share"], rows, right=(1, 2)) if rows else ""
    work = [(entry.label, wording.duration(entry.seconds), wording.percent(entry.share, 1)) for entry in time.work]
    workers = table(["Of the workers' time", "Time", "Share"], work, right=(1, 2)) if work else ""
    return section("Where the time went", f"{said}.", picture, ledger, workers)


def front(report: Report) -> str:
    """The trials that nothing beats in several objectives; empty for a search by one."""
    if report.front is None:
        return ""
    rows = [(str(trial), *values) for trial, values in report.front.rows]
    note = f"Trials that reached step {wording.whole(report.front.step)} and that no other beats in all objectives."
    header = ["Trial", *report.front.objectives]
    return section("Best in several objectives", table(header, rows, right=range(len(header))), note)


def left_out(report: Report) -> str:
    """Methods that were not searched; empty without any."""
    rows = [(method.title, " ".join(method.reasons)) for method in report.left_out]
    return section("Methods that were left out", table(["Method", "Why"], rows)) if rows else ""


def failed(report: Report) -> str:
    """Trials that ended in an error; empty without any."""
    rows = [
        (
            str(row.number),
            row.title,
            wording.knobs(row.hyperparameters),
            wording.shortened(row.error or "no reason recorded"),
        )
        for row in report.failed
    ]
    return (
        section("Failed trials", table(["Trial", "Method", "Hyperparameters", "Why"], rows, right=(0,))) if rows else ""
    )


def _beside_loss(report: Report, cell: str) -> tuple[str, ...]:
    """The metric's cell; none where the metric is the loss, which has a column of its own."""
    return () if report.metric.name == "loss" else (cell,)
