"""How an estimate is printed."""

import click

from autopeft.api.estimate import BudgetedEstimate, LargestBatch
from autopeft.cli.tables import Output, plain_value, print_json, print_paragraph, print_table
from autopeft.domain.knobs import Value
from autopeft.domain.memory import COMPONENTS, MemoryEstimate
from autopeft.domain.units import format_bytes, format_count, format_duration, format_step_time


def show(estimate: MemoryEstimate, output: Output) -> None:
    """Print what a step costs on stdout; what was assumed on stderr."""
    if output == "json":
        print_json(estimate.to_dict())
        return
    shown = {name: value for name, value in estimate.hyperparameters.items() if isinstance(value, Value)}
    knobs = ", ".join(f"{name}={plain_value(value)}" for name, value in shown.items())
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
    if estimate.phase_peak_bytes:
        print_paragraph(_phases(estimate), output)
    if estimate.seconds_per_step is not None:
        print_paragraph(_time(estimate, estimate.seconds_per_step), output)
    if isinstance(estimate, BudgetedEstimate):
        print_paragraph(_within_budget(estimate), output)
    if estimate.assumptions:
        click.echo("\n" + "\n".join(f"assumed: {assumption}" for assumption in estimate.assumptions), err=True)


def _phases(estimate: MemoryEstimate) -> str:
    """How high memory rises in each phase."""
    highest = ", ".join(f"{phase} {format_bytes(size)}" for phase, size in estimate.phase_peak_bytes.items())
    return f"Highest by phase: {highest}."


def _time(estimate: MemoryEstimate, seconds: float) -> str:
    """What a step takes, and the whole training where its size is known."""
    text = f"{format_step_time(seconds)} a step, {estimate.tokens_per_second or 0:,.0f} tokens a second."
    if estimate.measured_peak_bytes is not None:
        text += f" Measured peak: {format_bytes(estimate.measured_peak_bytes)}."
    if estimate.training_hours is None:
        return text
    cost = "" if estimate.training_cost is None else f", {estimate.training_cost:,.2f} at that price"
    return f"{text} The training takes {format_duration(estimate.training_hours * 3600)}{cost}."


def _within_budget(estimate: BudgetedEstimate) -> str:
    """Whether it fits, and the largest batch that does."""
    fits = "fits" if estimate.fits else "does not fit"
    context = format_bytes(estimate.context_bytes)
    return f"It {fits} {format_bytes(estimate.budget_bytes)} beside {context} of device context. " + " ".join(
        map(_largest, estimate.largest_batches)
    )


def _largest(one: LargestBatch) -> str:
    how = "With activations recomputed" if one.gradient_checkpointing else "Without recomputing activations"
    if one.batch_size is None or one.reserved_bytes is None:
        return f"{how} not one sequence fits."
    return f"{how} the largest batch that fits is {one.batch_size} ({format_bytes(one.reserved_bytes)} reserved)."


def _rows(estimate: MemoryEstimate) -> list[tuple[str, str]]:
    parts = estimate.components_bytes
    rows = [(name, format_bytes(parts[name])) for name in COMPONENTS if name in parts]
    rows.append((f"peak, in the {estimate.peak_phase} phase", format_bytes(estimate.peak_bytes)))
    rows.append(("allocator overhead", format_bytes(estimate.reserved_bytes - estimate.peak_bytes)))
    rows.append(("reserved", format_bytes(estimate.reserved_bytes)))
    return rows
