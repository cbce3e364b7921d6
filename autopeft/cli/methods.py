"""`autopeft methods`, `autopeft explain` and `autopeft tasks`: the catalogue, with its sources."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from autopeft.cli.options import format_option

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
@format_option
def methods(name: str | None, output: "Output") -> None:
    """List the fine-tuning methods, or show one with its knobs and sources."""
    from autopeft.catalog.load import load_catalog
    from autopeft.cli import catalog_view

    catalog = load_catalog()
    if name is None:
        catalog_view.show_methods(catalog, output)
    else:
        catalog_view.show_method(catalog.method(name), output)


@click.command(
    epilog="""\b
Examples:
  autopeft explain P01
  autopeft explain                # every rule
"""
)
@click.argument("rule", required=False)
@format_option
def explain(rule: str | None, output: "Output") -> None:
    """Tell what a recommendation's reason means, when it applies and where it comes from."""
    from autopeft.catalog.load import load_catalog
    from autopeft.cli import catalog_view
    from autopeft.recommend.ranking import TERMS

    if rule is not None and rule.lower() in TERMS:
        catalog_view.show_term(rule.lower(), TERMS[rule.lower()], output)
        return
    catalog = load_catalog()
    if rule is None:
        catalog_view.show_rules(catalog, output)
    else:
        catalog_view.show_rule(catalog.rule(rule), output)


@click.command(
    epilog="""\b
Examples:
  autopeft tasks
  autopeft tasks --format json
"""
)
@format_option
def tasks(output: "Output") -> None:
    """List the tasks: metric, base models, and the columns that are recognised."""
    from autopeft.catalog.load import load_catalog
    from autopeft.cli.tables import print_json, print_table

    found = load_catalog().tasks.values()
    if output == "json":
        print_json({"tasks": [asdict(task) for task in found]})
        return
    rows = [
        (
            task.id,
            f"{task.metric} ({'higher' if task.maximize else 'lower'} is better)",
            ", ".join(task.architectures),
            "; ".join(
                f"{role}: {names[0]}" for role, names in task.columns.items() if role not in task.optional_columns
            ),
        )
        for task in found
    ]
    print_table(("task", "metric", "base models", "columns"), rows, output)
