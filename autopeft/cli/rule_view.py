"""How rules, and the findings behind them, are printed."""

from collections.abc import Iterable
from dataclasses import asdict

import click

from autopeft.catalog.contents import Catalog
from autopeft.cli.catalog_view import show_sources
from autopeft.cli.tables import Output, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.expression import parse_expression
from autopeft.domain.facts import FACTS
from autopeft.domain.findings import Finding
from autopeft.domain.rules import Rule
from autopeft.domain.wording import condition_in_words, effect_in_words, standing


def show_rules(catalog: Catalog, output: Output) -> None:
    """All rules, one line each."""
    if output == "json":
        print_json({"rules": [asdict(rule) for rule in catalog.rules.values()]})
        return
    rows = [(rule.id, rule.title, rule.status) for rule in catalog.rules.values()]
    print_table(("rule", "says", "status"), rows, output)


def show_rule(rule: Rule, output: Output) -> None:
    """One rule in full: when it applies, what follows, why, where that comes from, how sure it is, and its cases."""
    if output == "json":
        print_json(asdict(rule))
        return
    click.echo(click.style(f"{rule.id}: {rule.title}", bold=True) + "\n")
    print_paragraph(rule.because, output)
    _show_condition(rule, output)
    print_heading("Then", output)
    for effect in rule.effects:
        print_paragraph(effect_in_words(effect, effect.weight * rule.confidence), output, label="-")
    show_sources((rule.source,), output)
    print_heading("Status", output)
    print_paragraph(standing(rule), output)
    print_heading("Cases", output)
    for case in rule.cases:
        given = ", ".join(f"{name} {_given(value)}" for name, value in case.given.items())
        print_paragraph(given or "nothing known", output, label="fires:" if case.fires else "does not fire:")


def _show_condition(rule: Rule, output: Output) -> None:
    print_heading("When", output)
    print_paragraph(condition_in_words(rule.when), output)
    print_paragraph(rule.when, output, label="written:")
    for name in sorted(parse_expression(rule.when).names):
        fact = FACTS[name]
        unit = f", in {fact.unit}" if fact.kind == "number" and fact.unit and fact.unit not in fact.meaning else ""
        print_paragraph(fact.meaning + unit, output, label=f"{name}:")


def show_finding(finding: Finding, rules: Iterable[Rule], output: Output) -> None:
    """A finding of the literature that has no rule of its name, and what became of it."""
    if output == "json":
        print_json(asdict(finding))
        return
    carried = [rule.id for rule in rules if finding.id in rule.findings]
    click.echo(click.style(f"{finding.id}, a finding", bold=True) + "\n")
    print_paragraph(finding.condition, output, label="Situation:")
    print_paragraph(finding.effect, output, label="Found:")
    print_paragraph(f"{finding.section}; {finding.source}", output, label="Source:")
    sure = f", confidence {finding.confidence:g}" if finding.confidence else ""
    print_paragraph(f"{finding.status.lower()}{sure}", output, label="Status:")
    became = f"carried out by {', '.join(carried)}" if carried else "held as measurements (search_spaces/evidence)"
    print_paragraph(f"left out: {finding.left_out}" if finding.left_out else became, output, label="Here:")


def _given(value: object) -> str:
    return f"{value:,g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value).lower()
