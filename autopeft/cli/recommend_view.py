"""How a recommendation is printed."""

from collections.abc import Iterable

import click

from autopeft.api.recommend import RankedMethods
from autopeft.api.recommend_models import ModelsForBudget
from autopeft.catalog.load import load_catalog
from autopeft.cli.tables import Output, plain_value, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.memory import StepShape
from autopeft.domain.recommendation import Candidate
from autopeft.domain.rules import Reason
from autopeft.domain.units import format_bytes, format_count, format_step_time
from autopeft.recommend.ranking import TERMS

_STARTS_SHOWN = 3
_CANDIDATES_SHOWN = 12
_MODEL_NUMBERS = ("size", "needs", "batch", "tokens")
_BATCH_NOTE = "batch: sequences in a forward pass x passes in a step; r: activations are recomputed to fit."
_NUMBERS = ("", "needs", "batch", "trains", "compute", "step", "tokens/s", "hours", "cost", "score")
_EFFORT_NOTES = {
    "compute": "compute: operations of a step, against the least.",
    "step": "step: predicted time of an optimizer step on the device, each batch as long as the longest.",
}


def show(answer: RankedMethods, output: Output, *, every: bool = False) -> None:
    """Print candidates, exclusions and reasons on stdout; what was assumed on stderr.

    Args:
        answer: of the recommender.
        output: how; JSON always holds everything.
        every: whether the table holds every candidate, or the first ones.
    """
    if output == "json":
        print_json(answer.to_dict())
        return
    print_paragraph(_headline(answer), output)
    shown = answer.candidates if every else answer.candidates[:_CANDIDATES_SHOWN]
    if shown:
        notes = _number_reasons(shown)
        click.echo()
        print_table(
            ("", "method", "needs", "batch", *_effort(answer), "score", "why"),
            _rows(answer, notes)[: len(shown)],
            output,
            numbers=_NUMBERS,
        )
        if len(shown) < len(answer.candidates):
            click.echo(f"\n{len(answer.candidates) - len(shown)} more fit and rank below; --all shows them.")
        _show_starts(shown, output)
    _show_exclusions(answer, output)
    if shown:
        _show_reasons(shown, notes, output)
    _say_assumptions(answer)


def say_by_name_only(output: Output) -> None:
    """One line on stderr: which methods of the catalogue were not asked, since they want to be named."""
    named_only = [method.id for method in load_catalog().methods.values() if method.by_name_only]
    if named_only and output != "json":
        click.echo(
            f"\nUsed only when named with --methods (slow or fragile; `autopeft methods NAME` says why): "
            f"{', '.join(named_only)}",
            err=True,
        )


def show_models(found: ModelsForBudget, output: Output) -> None:
    """Print what a budget can fine-tune."""
    if output == "json":
        print_json(found.to_dict())
        return
    click.echo(f"What {_budget(found.budget_bytes)} can fine-tune\n")
    rows = [
        (
            one.model,
            format_count(one.model_parameters),
            one.title if one.fits else "does not fit",
            "" if one.needed_bytes is None else format_bytes(one.needed_bytes),
            _batch(one.shape) if one.fits else "",
            str(one.shape.max_length),
        )
        for one in found.models
    ]
    print_table(("model", "size", "method", "needs", "batch", "tokens"), rows, output, numbers=_MODEL_NUMBERS)
    click.echo(
        f"\n{_BATCH_NOTE} Name one with --model to see every method, with reasons.",
        err=True,
    )


def _batch(shape: StepShape) -> str:
    """Micro-batch and accumulation; `r` says that activations are recomputed."""
    text = str(shape.batch_size) if shape.accumulation == 1 else f"{shape.batch_size} x {shape.accumulation}"
    return f"{text} r" if shape.gradient_checkpointing else text


def _headline(answer: RankedMethods) -> str:
    facts = answer.facts
    budget = "no memory budget" if answer.budget_bytes is None else _budget(answer.budget_bytes)
    size = format_count(float(facts["model_parameters"]))
    batch = f"{facts['batch_size']} sequences of {facts['max_length']} tokens a step"
    return f"{answer.model} ({size}), {answer.task}, {budget}, {batch}"


def _budget(size_bytes: int) -> str:
    """In both units, since people write 24GB and tools count in GiB."""
    return f"{size_bytes / 1e9:.4g} GB ({format_bytes(size_bytes)})"


def _rows(answer: RankedMethods, notes: dict[str, int]) -> list[tuple[str, ...]]:
    context = int(answer.facts["context_bytes"])
    effort = list(zip(*_effort(answer).values(), strict=True))
    return [
        (
            str(one.rank),
            one.title,
            format_bytes(one.estimate.reserved_bytes + context),
            _batch(one.shape),
            *effort[one.rank - 1],
            f"{round(one.score, 1) + 0.0:+.1f}",
            " ".join(_mark(reason, notes) for reason in one.reasons if reason.rule in notes),
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


def _number_reasons(candidates: Iterable[Candidate]) -> dict[str, int]:
    """Rule id -> footnote number, in the order of the table; cost terms have columns instead."""
    rules = dict.fromkeys(reason.rule for one in candidates for reason in one.reasons if reason.rule not in TERMS)
    return {rule: number for number, rule in enumerate(rules, start=1)}


def _mark(reason: Reason, notes: dict[str, int]) -> str:
    sign = "+" if reason.score > 0 else "-" if reason.score < 0 else "*"
    return f"{sign}{notes[reason.rule]}"


def _show_starts(candidates: Iterable[Candidate], output: Output) -> None:
    print_heading("Start with", output)
    for one in list(candidates)[:_STARTS_SHOWN]:
        print_paragraph(
            ", ".join(f"{name}={plain_value(value)}" for name, value in one.start.items()),
            output,
            label=f"{one.method}:",
        )


def _show_exclusions(answer: RankedMethods, output: Output) -> None:
    if not answer.excluded:
        return
    print_heading("Left out", output)
    for one in answer.excluded:
        print_paragraph("; ".join(map(_cited, one.reasons)), output, label=f"{one.title}:")


def _show_reasons(candidates: Iterable[Candidate], notes: dict[str, int], output: Output) -> None:
    print_heading("Why (+ for, - against, * to know)", output)
    by_rule = {reason.rule: reason for one in candidates for reason in one.reasons if reason.rule in notes}
    for rule, number in notes.items():
        reason = by_rule[rule]
        print_paragraph(_cited(reason), output, label=f"{number:>2}.")


def _cited(reason: Reason) -> str:
    return reason.text if reason.rule in TERMS else f"{reason.text} [{reason.rule}: {reason.source}]"


def _say_assumptions(answer: RankedMethods) -> None:
    context = format_bytes(float(answer.facts["context_bytes"]))
    note = next((text for heading, text in _EFFORT_NOTES.items() if heading in _effort(answer)), "")
    click.echo(
        f"\nneeds: reserved memory and {context} of device context. {_BATCH_NOTE} {note}\n"
        "`autopeft explain RULE` tells more about a reason.",
        err=True,
    )
