"""Facts -> `report.html`: one file that opens offline, in light and dark, on paper and on a telephone.

Everything is inside the file. Its content security policy forbids every request, and every script and style
but its own two, which it names by hash: text from data can do nothing even if an escape were missed.
"""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autopeft.reporting import figures, figures_tried, wording
from autopeft.reporting.facts import Report
from autopeft.reporting.ranges import memory_unit

_TEMPLATES = Path(__file__).parent / "templates"
_FILTERS = (
    wording.score,
    wording.with_spread,
    wording.signed,
    wording.signed_percent,
    wording.size,
    wording.named_size,
    wording.duration,
    wording.step_time,
    wording.parameters,
    wording.whole,
    wording.percent,
    wording.small_percent,
    wording.counts,
    wording.lengths,
    wording.knobs,
    wording.plural,
)


def render_html(report: Report) -> str:
    """The page, complete."""
    style, script = _text("style.css"), _text("script.js")
    winner = report.winner
    trainable = winner.trainable_parameters if winner else None
    base = report.asked.model_parameters
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
            comparison=figures.comparison(report),
            method_scores=figures.method_scores(report),
            ledger=figures.ledger(report.time.entries),
            work=figures.ledger(report.time.work),
            curves=figures.curves(report),
            legend=figures.legend(report),
            parallel=figures_tried.parallel(report),
            importances=figures_tried.importances(report),
            tradeoffs=figures_tried.tradeoffs(report),
            timeline=figures_tried.timeline(report),
            memory=figures.memory(report.memory),
            memory_unit=memory_unit(report.memory)[1],
            trainable_share=trainable / base if trainable and base else None,
            label_total=sum(count for _, count in report.data.labels),
        )
    )


def page_parts() -> tuple[Environment, str, str]:
    """What another page of the house is made with: the templates, the style, and the style's hash."""
    style = _text("style.css")
    return _environment(), style, _hash(style)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({function.__name__: function for function in _FILTERS})
    return environment


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
