"""`autopeft methods`, `autopeft explain` and `autopeft tasks`: the catalogue, with its sources."""

from typing import TYPE_CHECKING

import click

from autopeft.cli.options import catalog_option, format_option

if TYPE_CHECKING:
    from autopeft.cli.tables import Output


@click.command(
    epilog="""\b
Examples:
  autopeft methods
  autopeft methods ia3
  autopeft methods lora --format json
"""
)
@click.argument("name", required=False)
@catalog_option
@format_option
def methods(name: str | None, catalog: str | None, output: "Output") -> None:
    """List the fine-tuning methods, or show one with its knobs and sources."""
    from autopeft.catalog.load import load_catalog
    from autopeft.cli import catalog_view

    known = load_catalog(beside=catalog)
    if name is None:
        catalog_view.show_methods(known, output)
    else:
        catalog_view.show_method(known.method(name), output)


@click.command(
    epilog="""\b
Examples:
  autopeft explain P01
  autopeft explain P32            # a finding that no rule carries out, and why
  autopeft explain                # every rule
"""
)
@click.argument("rule", required=False)
@catalog_option
@format_option
def explain(rule: str | None, catalog: str | None, output: "Output") -> None:
    """Tell what a recommendation's reason means, when it applies and where it comes from."""
    from autopeft.catalog.findings import load_findings
    from autopeft.catalog.load import load_catalog
    from autopeft.cli import catalog_view, evidence_view, rule_view
    from autopeft.recommend.ranking import TERMS

    if rule is not None and rule.lower() in TERMS:
        catalog_view.show_term(rule.lower(), TERMS[rule.lower()], output)
        return
    known = load_catalog(beside=catalog)
    if rule is None:
        rule_view.show_rules(known, output)
    elif rule.lower() in known.evidence:
        evidence_view.show_evidence(known.evidence[rule.lower()], output)
    elif rule.upper() not in known.rules and rule.upper() in load_findings():
        rule_view.show_finding(load_findings()[rule.upper()], known.rules.values(), output)
    else:
        rule_view.show_rule(known.rule(rule), output)


@click.command(
    epilog="""\b
Examples:
  autopeft tasks
  autopeft tasks token-classification
  autopeft tasks --format json
"""
)
@click.argument("name", required=False)
@catalog_option
@format_option
def tasks(name: str | None, catalog: str | None, output: "Output") -> None:
    """List the tasks, or show one: metrics, base models, and the columns that are recognised."""
    from autopeft.catalog.load import load_catalog
    from autopeft.cli.task_view import show_task, show_tasks

    known = load_catalog(beside=catalog)
    if name is None:
        show_tasks(known.tasks.values(), output)
        return
    task = known.task(name)
    show_task(task, [alias for alias, meant in known.aliases.items() if meant == task.id], output)
