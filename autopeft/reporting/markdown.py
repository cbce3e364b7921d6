"""Facts -> `report.md`: the same order and figures as the HTML page, pictures as PNG files beside it."""

from collections.abc import Collection

from autopeft.reporting import markdown_search as search
from autopeft.reporting import wording
from autopeft.reporting.contenders import Gap
from autopeft.reporting.facts import Report
from autopeft.reporting.marks import bullets, fence, inline, named, section, span, table
from autopeft.reporting.reasons import Cited

_MOST_LABELS = 30
_RELATIONS = {"tie": "a tie", "unknown": "no spread known"}


def render_markdown(report: Report, pictures: Collection[str], folder: str) -> str:
    """The report as Markdown.

    Args:
        report: the facts.
        pictures: file names that were drawn.
        folder: where they lie, relative to the report.
    """
    shown = {name: f"![{name.removesuffix('.png')}]({folder}/{name})" for name in pictures}
    sections = [
        _head(report),
        _better(report, shown.get("comparison.png", "")),
        _cost(report),
        _load(report),
        _why(report),
        search.leaderboard(report),
        search.confirmed(report),
        search.curves(shown.get("curves.png", "")),
        search.parallel(report, shown.get("parallel.png", "")),
        search.importances(report, shown.get("importance.png", "")),
        search.methods(report, shown.get("methods.png", "")),
        search.tradeoffs(report, shown.get("tradeoff.png", "")),
        search.front(report),
        search.memory(report, shown.get("memory.png", "")),
        search.time(report, shown.get("time.png", "")),
        search.timeline(report, shown.get("timeline.png", "")),
        search.failed(report),
        search.left_out(report),
        _data(report),
        _asked(report),
        _repeat(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(report: Report) -> str:
    winner, asked = report.winner, report.asked
    title = f"# {inline(winner.label) if winner else 'No winner yet'}"
    task = f"{asked.task or 'unknown task'} on {asked.dataset or 'unknown data'}"
    subject = f"{asked.model or 'unknown model'}, {task}"
    knobs = span(wording.knobs(winner.hyperparameters)) if winner and winner.hyperparameters else ""
    parts = [title, f"{inline(subject)} (status: {inline(report.status)})", knobs, bullets(report.verdict)]
    return "\n\n".join(part for part in parts if part)


def _better(report: Report, picture: str) -> str:
    if not report.contenders:
        return ""
    metric, d = report.metric, report.metric.decimals
    rows = [
        (
            named(contender.label, contender.detail),
            contender.kind,
            wording.with_spread(contender.mean, contender.spread, d),
            str(len(contender.seeds) or ""),
            "not measured"
            if contender.test is None
            else wording.with_spread(contender.test, contender.test_standard_error, d),
            "the winner" if contender.winner or contender.same_as_winner else _against(contender.gap, d),
        )
        for contender in report.contenders
    ]
    header = [
        "Contender",
        "Role",
        f"Validation {metric.name}",
        "Seeds",
        f"Test {metric.name}",
        "Against the winner",
    ]
    note = (
        f"{metric.name}: {metric.direction}. Validation: mean ± sample standard deviation over seeds. Test:"
        " ± one standard error over examples. The gap to the winner is paired over the test rows where both answered"
        " them, with half its 95 % interval where single rows have the metric; else ± is one standard error, the two"
        " taken as independent. A gap within it is a tie."
    )
    return section("Is it really better?", picture, table(header, rows, right=(2, 3, 4, 5)), inline(note))


def _cost(report: Report) -> str:
    if not report.trained:
        return ""
    rows = [
        (
            named(contender.label, contender.detail),
            wording.parameters(contender.trainable_parameters),
            wording.size(contender.adapter_bytes),
            wording.size(contender.predicted_peak_bytes),
            wording.size(contender.measured_peak_bytes),
            wording.step_time(contender.seconds_per_step),
            wording.duration(contender.train_seconds),
            wording.step_time(contender.row_seconds),
        )
        for contender in report.trained
    ]
    header = [
        "Contender",
        "Trainable",
        "On disk",
        "Peak predicted",
        "Peak measured",
        "Per step",
        "Full run",
        "Per answer",
    ]
    kind = report.memory.kind or next((c.measured_kind for c in report.trained if c.measured_kind), None)
    note = f"Measured: {kind or 'unknown kind'}."
    return section("What it costs", table(header, rows, right=range(1, 8)), inline(note))


def _load(report: Report) -> str:
    if report.adapter is None:
        return ""
    code = fence("\n".join(report.adapter.load), "python") if report.adapter.load else "The lines are unknown."
    evaluation = wording.knobs(report.adapter.evaluation)
    measured = f" Its test figure was measured with {span(evaluation)}." if evaluation else ""
    return section(
        "Load it", code, f"The adapter lies in {span(report.adapter.path or 'an unknown folder')}.{measured}"
    )


def _why(report: Report) -> str:
    """The recommender's reasons, the winner's method first."""
    winners = report.winners_reasons
    shown = ([winners] if winners else []) + [one for one in report.why if one is not winners]
    rows = [
        (one.title, "" if reason.score is None else wording.signed(reason.score, 1), reason.text, _cite(reason))
        for one in shown
        for reason in one.moving
    ]
    note = "Points add up to the order in which methods were tried; what won was decided by the trials alone."
    header = ["Method", "Points", "Reason", "Rule and source"]
    return section("Why these methods were tried", table(header, rows, right=(1,)), note) if rows else ""


def _cite(reason: Cited) -> str:
    return ": ".join(part for part in (reason.rule, reason.source) if part)


def _asked(report: Report) -> str:
    asked, time = report.asked, report.time
    budget = "no time limit" if asked.budget_seconds is None else wording.duration(asked.budget_seconds)
    rows = [
        ("Base model", asked.model or wording.UNKNOWN),
        ("Parameters", wording.parameters(asked.model_parameters)),
        ("Data", asked.dataset or wording.UNKNOWN),
        ("Task", asked.task or wording.UNKNOWN),
        ("Selected by", f"{report.metric.name}, {report.metric.direction}"),
        ("Methods", ", ".join(asked.methods) or wording.UNKNOWN),
        ("Budget", budget if asked.trials is None else f"{budget}, {wording.plural(asked.trials, 'trial')}"),
        ("Device memory", wording.named_size(asked.gpu_mem_bytes) if asked.gpu_mem_bytes else "not limited"),
        *([("Search", ", ".join(time.search))] if time.search else []),
        ("Full length", f"{wording.whole(time.full_steps)} steps"),
        ("Rungs", ", ".join(map(str, time.rung_steps)) or wording.UNKNOWN),
        *((f"Seed: {name}", value) for name, value in report.seeds),
    ]
    return section("What was asked", table(["", ""], rows))


def _data(report: Report) -> str:
    data = report.data
    share = "" if data.truncated_share is None else f", {wording.percent(data.truncated_share, 1)} of the rows"
    rows = [
        ("Rows", wording.counts(data.rows)),
        ("Columns", ", ".join(data.columns) or wording.UNKNOWN),
        ("Cut at", f"{wording.whole(data.max_length)} tokens"),
        *([("Tokens of a row", wording.lengths(data.lengths))] if data.lengths else []),
        ("Truncated", f"{wording.whole(data.truncated_rows)}{share}"),
        ("Batch size", wording.whole(data.batch_size)),
        ("Fingerprint", data.fingerprint or wording.UNKNOWN),
    ]
    shown = [(name, wording.whole(count)) for name, count in data.labels[:_MOST_LABELS]]
    labels = table(["Label", "Training rows"], shown, right=(1,))
    hidden = len(data.labels) - len(shown)
    labels += f"\n\nAnd {wording.plural(hidden, 'more label')}." if hidden else ""
    return section("The data", table(["", ""], rows), bullets(data.notes), labels if data.labels else "")


def _repeat(report: Report) -> str:
    command = fence(report.asked.command, "sh") if report.asked.command else "The command is unknown."
    environment = section("Environment", table(["", ""], report.environment)) if report.environment else ""
    return "\n\n".join(part for part in (environment, section("Repeat it", command)) if part)


def _against(gap: Gap | None, decimals: int) -> str:
    if gap is None or gap.difference is None:
        return wording.UNKNOWN
    error = "" if gap.error is None else f" ± {wording.score(gap.error, decimals)}"
    split = ", on validation" if gap.split == "validation" else ""
    relation = _RELATIONS.get(gap.relation, gap.relation)
    relation += f" by {gap.row_metric}, row by row" if gap.row_metric else ""
    return f"{wording.signed(gap.difference, decimals)}{error} ({relation}{split})"
