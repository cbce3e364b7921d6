"""What was made of a run, for people: merged models, figures measured again, runs side by side."""

from typing import TYPE_CHECKING, cast

from autopeft.cli.tables import Output, print_json, print_paragraph, print_table
from autopeft.domain.units import format_bytes

if TYPE_CHECKING:
    from autopeft.api.evaluate import Evaluated
    from autopeft.api.export import Exported
    from autopeft.api.merge import Merged


def show_merged(done: "Merged", output_format: str) -> None:
    """Where the merged model lies and how far it is from the adapter."""
    output = cast(Output, output_format)
    if output == "json":
        print_json(done.to_dict())
        return
    rows = [
        ["folder", done.output],
        ["weights", format_bytes(done.bytes)],
        ["method", done.method],
        ["compared on", f"{done.checked_rows} validation rows"],
        ["greatest difference", f"{done.greatest_difference:.2g} (greatest logit {done.greatest_logit:.3g})"],
        ["same choice", f"{done.same_choices:.2%} of positions"],
    ]
    print_table(["merged", ""], rows, output)


def show_exported(done: "Exported", output_format: str) -> None:
    """Where the file lies, what it takes, and how far it is from the adapter."""
    output = cast(Output, output_format)
    if output == "json":
        print_json(done.to_dict())
        return
    rows = [
        ["folder", done.output],
        ["file", format_bytes(done.bytes)],
        ["inputs", ", ".join(done.inputs)],
        ["labels", ", ".join(done.labels) or "none"],
        ["compared on", f"{done.checked_rows} validation rows"],
        ["greatest difference", f"{done.greatest_difference:.2g} (greatest logit {done.greatest_logit:.3g})"],
    ]
    print_table([done.format, ""], rows, output)


def show_evaluated(done: "Evaluated", output_format: str) -> None:
    """The figure with its interval and, on the run's own rows, how far it is from the reported one."""
    output = cast(Output, output_format)
    if output == "json":
        print_json(done.to_dict())
        return
    low, high = done.interval
    rows = [
        ["data", f"{done.dataset} ({done.split}, {done.rows} rows)"],
        [done.metric, f"{done.value:.4f}"],
        ["95 % interval", f"{low:.4f} to {high:.4f}"],
        ["loss", f"{done.loss:.4f}"],
    ]
    if done.difference is not None:
        rows.append(["reported", f"{done.reported:.4f} (difference {done.difference:+.1e})"])
    print_table(["measured", ""], rows, output)
    if done.difference is None:
        print_paragraph("These are not the rows of the run's own test split.", output)
    for note in done.notes:
        print_paragraph(f"{note[:1].upper()}{note[1:]}.", output)
