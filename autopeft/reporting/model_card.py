"""Result -> the adapter's `README.md`: what it is, how good, on what it was trained, how to load it."""

import json
import re

from autopeft.reporting import wording
from autopeft.reporting.contenders import Contender
from autopeft.reporting.facts import Report, read_report
from autopeft.reporting.marks import bullets, fence, inline, span, table
from autopeft.reporting.reading import Record, record, text

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
# Two-sided, under the normal distribution.
NORMAL_95 = 1.96
_OWN_TUNERS = "import autopeft.tuners"


def model_card(result: Record) -> str:
    """The model card of the best adapter, for a result mapping (docs/result-schema.md).

    The front matter names a base model only by hub id: the hub refuses a card that names a folder. Where the
    lines that load the adapter register autopeft's own methods, the card says why.

    Raises:
        InputError: the result was written in a later version of the schema.
    """
    report = read_report(result)
    sections = [
        _front_matter(report),
        _title(report),
        _load(report),
        _score(report),
        _training(report, result),
        _search_record(report),
        _made_by(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(report: Report) -> str:
    """YAML in its JSON subset: every text quoted, so that no name can add a key."""
    winner, model = report.winner, report.asked.model
    tags = ["autopeft", "peft", winner.method if winner else None, report.asked.task]
    lines = ["---"]
    if model and _HUB_ID.fullmatch(model):
        lines.append(f"base_model: {json.dumps(model)}")
    lines += ["library_name: peft", "tags:"]
    lines += [f"- {json.dumps(tag)}" for tag in dict.fromkeys(tags) if tag]
    return "\n".join([*lines, "---"])


def _title(report: Report) -> str:
    winner, asked = report.winner, report.asked
    method = winner.label if winner else "No adapter yet"
    what = f"{method} for {asked.task or 'an unknown task'} on {asked.model or 'an unknown base model'}"
    return f"# {inline(what)}\n\n{bullets(report.verdict)}"


def _load(report: Report) -> str:
    lines = report.adapter.load if report.adapter else ()
    if not lines:
        return ""
    code = f"## How to load it\n\n{fence(chr(10).join(lines), 'python')}"
    if any(_OWN_TUNERS in line for line in lines):
        code += f"\n\n`{_OWN_TUNERS}` registers the method with peft, which does not have it by itself."
    return code


def _score(report: Report) -> str:
    if report.winner is None:
        return ""
    d = report.metric.decimals
    rows = [
        (
            contender.label if contender.winner else f"{contender.label} ({contender.kind})",
            wording.with_spread(contender.mean, contender.spread, d),
            str(len(contender.seeds) or ""),
            wording.with_spread(contender.test, contender.test_standard_error, d),
        )
        for contender in report.contenders
        if contender.winner or contender.kind != "candidate"
    ]
    metric = report.metric
    header = ["", f"Validation {metric.name}", "Seeds", f"Test {metric.name}"]
    note = (
        f"{metric.name}: {metric.direction}. Validation: mean ± sample standard deviation over seeds. Test:"
        " measured once, after all choices, ± one standard error over examples."
    )
    told = " ".join(part for part in (_interval(report), note) if part)
    return f"## How good it is\n\n{table(header, rows, right=(1, 2, 3))}\n\n{inline(told)}"


def _interval(report: Report) -> str:
    """The winner's test figure with its 95 % interval, by the normal distribution."""
    winner, name = report.winner, report.metric.name
    if winner is None or winner.test is None or winner.test_standard_error is None:
        return ""
    half, d = NORMAL_95 * winner.test_standard_error, report.metric.decimals
    return f"Test {name} {winner.test:.{d}f}, 95 % interval {winner.test - half:.{d}f} to {winner.test + half:.{d}f}."


def _training(report: Report, result: Record) -> str:
    data, asked = report.data, report.asked
    rows = [
        ("Base model", asked.model or wording.UNKNOWN),
        ("Licence of the base", text(record(result, "asked"), "model_licence") or wording.UNKNOWN),
        ("Task", asked.task or wording.UNKNOWN),
        ("Data", asked.dataset or wording.UNKNOWN),
        ("Data fingerprint", data.fingerprint or wording.UNKNOWN),
        ("Rows", wording.counts(data.rows)),
        ("Longest sequence", f"{wording.whole(data.max_length)} tokens"),
        *(_method(report.winner) if report.winner else ()),
        (
            "Seed",
            wording.UNKNOWN if report.adapter is None or report.adapter.seed is None else str(report.adapter.seed),
        ),
    ]
    return f"## How it was trained\n\n{table(['', ''], rows)}"


def _method(winner: Contender) -> list[tuple[str, str]]:
    memory = wording.size(winner.measured_peak_bytes or winner.predicted_peak_bytes)
    kind = (winner.measured_kind or "measured") if winner.measured_peak_bytes else "predicted"
    return [
        ("Method", f"{winner.label} ({winner.method or wording.UNKNOWN})"),
        ("Hyperparameters", wording.knobs(winner.hyperparameters) or "none"),
        ("Steps", wording.whole(winner.seeds[0].steps if winner.seeds else None)),
        ("Trainable parameters", wording.parameters(winner.trainable_parameters)),
        ("Size on disk", wording.size(winner.adapter_bytes)),
        ("Peak memory in training", f"{memory} ({kind})"),
    ]


def _search_record(report: Report) -> str:
    """What the search tried before it chose this adapter."""
    trials = report.leaderboard
    if not trials:
        return ""
    methods = sorted({trial.method for trial in trials if trial.method})
    spent = wording.duration(report.time.spent_seconds)
    budget = wording.duration(report.asked.budget_seconds) if report.asked.budget_seconds else "none"
    rows = [
        ("Configurations tried", f"{len(trials)}, of them {len(report.failed)} failed"),
        ("Methods tried", ", ".join(methods) or wording.UNKNOWN),
        ("Time", f"{spent} (budget: {budget})"),
        ("Seeds", ", ".join(f"{name}: {value}" for name, value in report.seeds) or wording.UNKNOWN),
    ]
    return f"## How it was found\n\n{table(['', ''], rows)}"


def _made_by(report: Report) -> str:
    versions = dict(report.environment)
    named = [f"{name} {versions[name]}" for name in ("autopeft", "peft", "transformers", "torch") if name in versions]
    made = f"Found by a search with {inline(', '.join(named) or 'autopeft')}."
    return made + (f" To repeat it: {span(report.asked.command)}" if report.asked.command else "")
