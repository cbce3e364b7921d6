"""`autopeft fuse`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from autopeft.cli.options import run_format_option

if TYPE_CHECKING:
    from autopeft.api.fuse import Fused
    from autopeft.cli.tables import Output

EPILOG = """\b
Examples:
  autopeft fuse runs/reviews runs/emails --output mixture/
  autopeft fuse runs/a runs/b runs/c --output mixture/ --rank 16 --top-k 2 --format json
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="A new folder for the mixture."
)
@click.option(
    "--rank",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Singular directions that each expert keeps.",
)
@click.option(
    "--gate-rank",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Of them, those that the routing looks at.",
)
@click.option(
    "--top-k", type=click.IntRange(min=1), default=1, show_default=True, help="Experts that each token goes to."
)
@run_format_option
def fuse(runs: tuple[Path, ...], output: Path, rank: int, gate_rank: int, top_k: int, output_format: str) -> None:
    """Make one model of several runs' winners, without training.

    Each winner becomes a low-rank expert in every layer that it changed, and each token goes to the expert whose
    directions it has most of (SMILE, arXiv:2408.10174). The mixture is measured on each run's own test rows.
    """
    from autopeft.api.fuse import fuse as mix

    _show(mix(runs, output, rank=rank, gate_rank=gate_rank, top_k=top_k), output_format)


def _show(done: "Fused", output_format: str) -> None:
    from autopeft.cli.tables import print_json, print_paragraph, print_table
    from autopeft.domain.units import format_count

    output = cast("Output", output_format)
    if output == "json":
        print_json(done.to_dict())
        return
    rows = [
        [
            Path(one.run).name,
            one.method,
            one.metric,
            f"{one.own:.3f}",
            f"{one.fused:.3f} ± {one.standard_error:.3f}",
            f"{one.fused - one.own:+.3f}",
        ]
        for one in done.runs
    ]
    figures = ("own adapter", "mixture", "difference")
    print_table(["run", "method", "test", *figures], rows, output, numbers=figures)
    print_paragraph(
        f"{format_count(done.adapter_parameters)} parameters in {len(done.runs)} experts, written to {done.output}; a "
        "folder for each run holds the experts and that run's head.",
        output,
    )
