"""A recommendation -> one HTML page that opens offline: the table, and every score taken apart.

Nothing is fetched and nothing runs: the page has no script, and its content security policy allows only its own style,
which it names by hash. Every text is escaped.
"""

from markupsafe import Markup

from autopeft.domain.recommendation import Candidate, Recommendation
from autopeft.domain.units import format_bytes, format_count
from autopeft.reporting.html import page_parts


def render_recommendation(answer: Recommendation) -> str:
    """The page, complete."""
    environment, style, style_hash = page_parts()
    context = int(answer.facts["context_bytes"])
    return environment.get_template("recommendation.html.j2").render(
        answer=answer,
        style=Markup(style),
        style_hash=style_hash,
        budget=None if answer.budget_bytes is None else format_bytes(answer.budget_bytes),
        size=format_count(float(answer.facts["model_parameters"])),
        context=format_bytes(context),
        rows=[_row(one, context) for one in answer.candidates],
    )


def _row(one: Candidate, context_bytes: int) -> dict[str, object]:
    shape = one.shape
    times = "" if shape.accumulation == 1 else f" \N{MULTIPLICATION SIGN} {shape.accumulation}"
    batch = f"{shape.batch_size}{times}"
    return {
        "one": one,
        "needs": format_bytes(one.estimate.reserved_bytes + context_bytes),
        "batch": batch,
        "base": shape.quantization or shape.dtype,
        "trains": format_count(one.estimate.trainable_parameters),
        "reasons": sorted(one.reasons, key=lambda reason: -abs(reason.score)),
    }
