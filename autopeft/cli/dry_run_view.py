"""A search that was only planned, for people."""

from collections.abc import Mapping
from typing import Any, cast

from autopeft.cli.progress import terminal_observer
from autopeft.cli.tables import Output, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.units import format_bytes, format_count, format_duration


def show_dry_run(asked: Mapping[str, Any], output_format: str, *, quiet: bool) -> None:
    """Plan the search that was asked for and print what it would do."""
    from autopeft.api.dry_run import plan_search

    with terminal_observer(quiet=quiet) as observer:
        outline = plan_search(observer=observer, **asked)
    output = cast(Output, output_format)
    if output == "json":
        print_json(outline)
        return
    print_heading("Plan", output)
    for line in _plan_lines(outline):
        print_paragraph(line, output, label="-")
    print_heading("Methods", output)
    print_table(_COLUMNS, [_row(one) for one in outline["methods"]], output, numbers=_COLUMNS[1:], fold_first=True)
    if outline["excluded"]:
        print_heading("Not searched", output)
        for one in outline["excluded"]:
            print_paragraph(f"{one['title']}: {' '.join(one['reasons'])}", output, label="-")


_COLUMNS = ["method", "trainable", "step\nmemory", "micro-\nbatches", "checkpoint"]


def _row(one: Mapping[str, Any]) -> list[str]:
    return [
        one["title"],
        format_count(one["trainable_parameters"]),
        format_bytes(one["reserved_bytes"]),
        str(one["accumulation"]) + (" *" if one["gradient_checkpointing"] else ""),
        format_bytes(one["checkpoint_bytes"]),
    ]


def _plan_lines(outline: Mapping[str, Any]) -> list[str]:
    plan, asked, rows = outline["plan"], outline["asked"], outline["rows"]
    rungs = ", ".join(map(str, plan["rung_steps"]))
    lines = [
        f"{outline['task']} on {outline['device']}: {rows['train']} training rows of at most {outline['max_length']} "
        f"tokens, {rows['validation']} to choose on, {rows['test']} to test on.",
        f"Full length is {plan['full_steps']} steps of {plan['batch_size']} rows; trials are compared after {rungs} "
        f"steps on {plan['rung_rows']} rows, by {asked['scheduler']}; {asked['sampler']} proposes.",
        f"About {outline['trials']} trials in {outline['slices']} slices, then {outline['confirm']['runs']} runs to "
        "full length to confirm, the control among them.",
    ]
    if plan["step_seconds"] is not None:
        seconds = format_duration(outline["seconds"])
        lines.append(f"One step takes {plan['step_seconds']:.3f} s here; all ends within {seconds}.")
    tokens, disk = format_count(outline["tokens"]), format_bytes(outline["disk_bytes"])
    lines.append(f"About {tokens} training tokens; at most {disk} of checkpoints.")
    if outline["money"] is not None:
        lines.append(f"It costs at most {outline['money']:.2f} at {asked['price_per_hour']:g} an hour and device.")
    return lines
