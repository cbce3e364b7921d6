"""How a recommendation is printed."""

from collections.abc import Iterable, Sequence
from typing import cast

import click

from autopeft.api.recommend import RankedMethods
from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog
from autopeft.cli.advice_options import Format
from autopeft.cli.footnotes import Footnotes, cited
from autopeft.cli.score_view import show_scores
from autopeft.cli.tables import Output, plain_value, print_heading, print_json, print_note, print_paragraph, print_table
from autopeft.domain.memory import StepShape
from autopeft.domain.recommendation import Candidate
from autopeft.domain.units import format_bytes, format_count, format_step_time

_STARTS_SHOWN = 3
_CANDIDATES_SHOWN = 12
BATCH_NOTE = "batch: sequences in a forward pass x passes in a step; r: activations are recomputed to fit."
_QUANTISED_NOTE = "q: the base is quantised to 4 bits (NF4) to fit."
_UNKNOWN_NOTE = "?: nobody measured the method near this situation."
_NUMBERS = ("", "needs", "batch", "trains", "compute", "step", "tokens/s", "hours", "cost", "score")
_EFFORT_NOTES = {
    "compute": "compute: operations of a step, against the least.",
    "step": "step: predicted time of an optimizer step on the device, each batch as long as the longest.",
}


def show(
    answer: RankedMethods, output: Format, *, every: bool = False, taken_apart: bool = False, catalog: str | None = None
) -> None:
    """Print candidates, exclusions and reasons on stdout; what was assumed on stderr.

    Args:
        answer: of the recommender.
        output: how; JSON and HTML always hold everything.
        every: whether the table holds every candidate, or the first ones.
        taken_apart: whether each score is shown term by term.
        catalog: folder of the user's own YAML, whose evidence may be cited.
    """
    if output == "json":
        print_json(answer.to_dict())
        return
    if output == "html":
        from autopeft.reporting.recommendation import render_recommendation

        click.echo(render_recommendation(answer))
        return
    _show_text(answer, cast(Output, output), load_catalog(beside=catalog), every=every, taken_apart=taken_apart)


def _show_text(answer: RankedMethods, output: Output, catalog: Catalog, *, every: bool, taken_apart: bool) -> None:
    print_paragraph(_headline(answer), output)
    for note in answer.notes:
        print_paragraph(note, output)
    shown = answer.candidates if every else answer.candidates[:_CANDIDATES_SHOWN]
    footnotes = Footnotes(shown, catalog.evidence)
    if shown:
        click.echo()
        columns = ("", "method", "needs", "batch", *_effort(answer), "score", "why")
        print_table(columns, _rows(answer, footnotes)[: len(shown)], output, numbers=_NUMBERS)
        if len(shown) < len(answer.candidates):
            click.echo(f"\n{len(answer.candidates) - len(shown)} more fit and rank below; --all shows them.")
    _show_advice(answer, output)
    if shown:
        _show_starts(shown, output)
    if taken_apart:
        show_scores(shown, output)
    _show_exclusions(answer, output)
    if footnotes.texts:
        print_heading("Why (+ for, - against, * to know)", output)
        for number, text in enumerate(footnotes.texts, start=1):
            print_paragraph(text, output, label=f"{number:>2}.")
    _say_assumptions(answer, shown)


def say_by_name_only(output: Format, catalog: str | None = None) -> None:
    """A note on stderr: which methods of the catalogue were not asked, since they want to be named."""
    named_only = [method.id for method in load_catalog(beside=catalog).methods.values() if method.by_name_only]
    if named_only and output in ("table", "markdown"):
        print_note(
            f"Used only when named with --methods (slow or fragile; `autopeft methods NAME` says why): "
            f"{', '.join(named_only)}"
        )


def batch_text(shape: StepShape, *, quantised: bool) -> str:
    """Micro-batch and accumulation; `r` says that activations are recomputed, `q` that the base is quantised."""
    text = str(shape.batch_size) if shape.accumulation == 1 else f"{shape.batch_size} x {shape.accumulation}"
    marks = ("r" if shape.gradient_checkpointing else "") + ("q" if quantised else "")
    return f"{text} {marks}" if marks else text


def budget_text(size_bytes: int) -> str:
    """In both units, since people write 24GB and tools count in GiB."""
    return f"{size_bytes / 1e9:.4g} GB ({format_bytes(size_bytes)})"


def _headline(answer: RankedMethods) -> str:
    facts = answer.facts
    budget = "no memory budget" if answer.budget_bytes is None else budget_text(answer.budget_bytes)
    size = format_count(float(facts["model_parameters"]))
    batch = f"{facts['batch_size']} sequences of {facts['max_length']} tokens a step"
    return f"{answer.model} ({size}), {answer.task}, {budget}, {batch}"


def _quantised(one: Candidate) -> bool:
    return one.shape.quantization is not None


def _rows(answer: RankedMethods, footnotes: Footnotes) -> list[tuple[str, ...]]:
    context = int(answer.facts["context_bytes"])
    effort = list(zip(*_effort(answer).values(), strict=True))
    return [
        (
            str(one.rank),
            one.title,
            format_bytes(one.estimate.reserved_bytes + context),
            batch_text(one.shape, quantised=_quantised(one)),
            *effort[one.rank - 1],
            f"{round(one.score, 1) + 0.0:+.1f}{'?' if one.basis == 'unknown' else ''}",
            footnotes.marks(one),
        )
        for one in answer.candidates
    ]


def _effort(answer: RankedMethods) -> dict[str, list[str]]:
    """Headings and cells of what trains and what a step takes: time where a device is named, else operations."""
    estimates = [one.estimate for one in answer.candidates]
    seconds = [one.seconds_per_step for one in estimates if one.seconds_per_step is not None]
    if len(seconds) < len(estimates):
        least = min(one.step_flops for one in estimates) or 1
        return {
            "trains": [format_count(one.trainable_parameters) for one in estimates],
            "compute": [f"{one.step_flops / least:.2f}x" for one in estimates],
        }
    columns = {
        "step": list(map(format_step_time, seconds)),
        "tokens/s": [format_count(one.tokens_per_second or 0) for one in estimates],
        "hours": [f"{one.training_hours:.3g}" for one in estimates if one.training_hours is not None],
        "cost": [f"{one.training_cost:,.2f}" for one in estimates if one.training_cost is not None],
    }
    return {heading: cells for heading, cells in columns.items() if cells}


def _show_advice(answer: RankedMethods, output: Output) -> None:
    if answer.advice:
        print_heading("Consider", output)
        for reason in answer.advice:
            print_paragraph(cited(reason), output, label="-")


def _show_starts(candidates: Iterable[Candidate], output: Output) -> None:
    print_heading("Start with", output)
    for one in list(candidates)[:_STARTS_SHOWN]:
        knobs = [f"{name}={plain_value(value)}{_range(one, name)}" for name, value in one.start.items()]
        print_paragraph(", ".join(knobs), output, label=f"{one.method}:")


def _range(one: Candidate, name: str) -> str:
    """The range of the learning rate, which matters most (arXiv:2303.15647v1, section 14); others are in the JSON."""
    if name != "learning_rate" or name not in one.ranges or len(set(one.ranges[name])) == 1:
        return ""
    low, high = one.ranges[name]
    return f" (try {low:.3g} to {high:.3g})"


def _show_exclusions(answer: RankedMethods, output: Output) -> None:
    if not answer.excluded:
        return
    print_heading("Left out", output)
    for one in answer.excluded:
        print_paragraph("; ".join(map(cited, one.reasons)), output, label=f"{one.title}:")


def _say_assumptions(answer: RankedMethods, shown: Sequence[Candidate]) -> None:
    context = format_bytes(float(answer.facts["context_bytes"]))
    notes = [BATCH_NOTE] if shown else []
    notes += [text for heading, text in _EFFORT_NOTES.items() if shown and heading in _effort(answer)]
    notes += [_QUANTISED_NOTE] if any(map(_quantised, shown)) else []
    notes += [_UNKNOWN_NOTE] if any(one.basis == "unknown" for one in shown) else []
    print_note(
        f"needs: reserved memory and {context} of device context. {' '.join(notes)} "
        "`autopeft explain ID` tells more about a reason, --explain takes the scores apart."
    )
