"""`autopeft explain TABLE`: a table of published measurements."""

from dataclasses import asdict

from autopeft.cli.catalog_view import show_sources
from autopeft.cli.tables import Output, plain_value, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.evidence import Comparison, Evidence


def show_evidence(table: Evidence, output: Output) -> None:
    """Print what was measured, where, and how it is counted."""
    if output == "json":
        print_json(asdict(table))
        return
    print_paragraph(table.title, output, label=f"{table.id}:")
    if table.status == "recalled":
        print_paragraph("A prior: recalled, not checked against the source; it counts as if half as near.", output)
    for comparison in table.comparisons:
        print_heading(comparison.title, output)
        if comparison.order:
            print_paragraph(" > ".join(" = ".join(tied) for tied in comparison.order), output)
        else:
            _show_measurements(comparison, output)
    if table.rows:
        print_heading("Costs", output)
        for row in table.rows:
            print_paragraph(
                ", ".join(f"{name}={plain_value(value)}" for name, value in row.items() if value is not None),
                output,
                label="-",
            )
    show_sources((table.source,), output)


def _show_measurements(comparison: Comparison, output: Output) -> None:
    rows = [
        (
            one.method,
            one.logged_as,
            f"{one.value:.4g}",
            "" if one.learning_rate is None else f"{one.learning_rate:g}",
            f"{one.likeness:g}",
        )
        for one in comparison.measurements
    ]
    columns = ("method", "logged as", comparison.metric, "rate", "likeness")
    print_table(columns, rows, output, numbers=(comparison.metric, "rate", "likeness"))
