"""How a recommendation is printed."""

from collections.abc import Iterable

import click

from autopeft.api.recommend import RankedMethods
from autopeft.api.recommend_models import FittingModel, ModelsForBudget
from autopeft.cli.tables import Output, plain_value, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.recommendation import Candidate
from autopeft.domain.rules import Reason
from autopeft.domain.units import format_bytes, format_count
from autopeft.recommend.ranking import TERMS

_STARTS_SHOWN = 3
_NUMBERS = ("", "needs", "trains", "compute", "score")


def show(answer: RankedMethods, output: Output) -> None:
    """Print candidates, exclusions and reasons on stdout; what was assumed on stderr."""
    if output == "json":
        print_json(answer.to_dict())
        return
    print_paragraph(_headline(answer), output)
    if answer.candidates:
        notes = _number_reasons(answer.candidates)
        click.echo()
        print_table(
            ("", "method", "needs", "trains", "compute", "score", "why"),
            _rows(answer, notes),
            output,
            numbers=_NUMBERS,
        )
        _show_starts(answer.candidates, output)
    _show_exclusions(answer, output)
    if answer.candidates:
        _show_reasons(answer.candidates, notes, output)
    _say_assumptions(answer)


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
            _how(one) if one.fits else "does not fit",
            "" if one.needed_bytes is None else format_bytes(one.needed_bytes),
            f"{one.shape.batch_size} x {one.shape.max_length}",
        )
        for one in found.models
    ]
    print_table(("model", "size", "method", "needs", "batch"), rows, output, numbers=("size", "needs", "batch"))
    click.echo(
        "\nbatch: sequences in one forward pass x tokens. Name one with --model to see every method, with reasons.",
        err=True,
    )


def _how(one: FittingModel) -> str:
    return f"{one.title}, checkpointing" if one.shape.gradient_checkpointing else one.title


def _headline(answer: RankedMethods) -> str:
    facts = answer.facts
    budget = "no memory budget" if answer.budget_bytes is None else _budget(answer.budget_bytes)
    size = format_count(float(facts["model_parameters"]))
    batch = f"batch {facts['micro_batch_size']} x {facts['max_length']} tokens"
    if facts["batch_size"] != facts["micro_batch_size"]:
        batch += f", accumulated to {facts['batch_size']} sequences"
    return f"{answer.model} ({size}), {answer.task}, {budget}, {batch}"


def _budget(size_bytes: int) -> str:
    """In both units, since people write 24GB and tools count in GiB."""
    return f"{size_bytes / 1e9:.4g} GB ({format_bytes(size_bytes)})"


def _rows(answer: RankedMethods, notes: dict[str, int]) -> list[tuple[str, ...]]:
    context = int(answer.facts["context_bytes"])
    least = min(one.estimate.step_flops for one in answer.candidates) or 1
    return [
        (
            str(one.rank),
            one.title,
            format_bytes(one.estimate.reserved_bytes + context),
            format_count(one.estimate.trainable_parameters),
            f"{one.estimate.step_flops / least:.2f}x",
            f"{round(one.score, 1) + 0.0:+.1f}",
            " ".join(_mark(reason, notes) for reason in one.reasons if reason.rule in notes),
        )
        for one in answer.candidates
    ]


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
    click.echo(
        f"\nneeds: reserved memory and {context} of device context. compute: operations of a step, against "
        "the least.\n"
        "`autopeft explain RULE` tells more about a reason.",
        err=True,
    )
