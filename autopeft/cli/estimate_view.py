"""How an estimate is printed."""

import click

from autopeft.cli.tables import Output, plain_value, print_json, print_paragraph, print_table
from autopeft.domain.memory import COMPONENTS, MemoryEstimate
from autopeft.domain.units import format_bytes, format_count


def show(estimate: MemoryEstimate, output: Output) -> None:
    """Print what a step costs on stdout; what was assumed on stderr."""
    if output == "json":
        print_json(estimate.to_dict())
        return
    knobs = ", ".join(f"{name}={plain_value(value)}" for name, value in estimate.hyperparameters.items())
    click.echo(f"{estimate.method} on {estimate.model}" + (f" ({knobs})" if knobs else "") + "\n")
    print_table(("at the peak", "memory"), _rows(estimate), output, numbers=("memory",))
    click.echo()
    print_paragraph(
        f"{format_count(estimate.trainable_parameters)} of {format_count(estimate.total_parameters)} "
        f"parameters train ({estimate.trainable_parameters / max(estimate.total_parameters, 1):.2%}; "
        f"{format_count(estimate.adapter_parameters)} without the task head). "
        f"{estimate.step_flops / 1e12:.3g} TFLOP a step.",
        output,
    )
    if estimate.assumptions:
        click.echo("\n" + "\n".join(f"assumed: {assumption}" for assumption in estimate.assumptions), err=True)


def _rows(estimate: MemoryEstimate) -> list[tuple[str, str]]:
    parts = estimate.components_bytes
    rows = [(name, format_bytes(parts[name])) for name in COMPONENTS if name in parts]
    rows.append((f"peak, in the {estimate.peak_phase} phase", format_bytes(estimate.peak_bytes)))
    rows.append(("allocator overhead", format_bytes(estimate.reserved_bytes - estimate.peak_bytes)))
    rows.append(("reserved", format_bytes(estimate.reserved_bytes)))
    return rows
