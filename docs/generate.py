"""Writes the pages of the documentation that come from the catalogue and the command line.

python docs/generate.py           write them
python docs/generate.py --check   exit with 1 and name the pages that are out of date
"""

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import click

from autopeft.catalog import Catalog, load_catalog
from autopeft.cli.main import cli
from autopeft.domain.knobs import Knob
from autopeft.domain.methods import MethodSpec, Source
from autopeft.domain.rules import Rule
from autopeft.domain.units import format_bytes, format_count

DOCS = Path(__file__).parent
NOTICE = "<!-- Generated from search_spaces/ by docs/generate.py; edit the YAML, then run `make docs`. -->"
COMMANDS_NOTICE = "<!-- Generated from the commands' own help by docs/generate.py; run `make docs`. -->"
HELP_COLUMNS = 100
ANSWERS = {True: "yes", False: "no", None: "unknown"}


def methods_page(catalog: Catalog) -> str | None:
    """docs/methods.md: what each method does, its knobs, what it can do, and where that is known from."""
    rows = [
        (
            f"[{method.id}](#{method.id})",
            method.title,
            method.family,
            "named only" if method.by_name_only or method.role == "control" else "yes",
            _tasks(method),
            ANSWERS[method.can("mergeable")],
        )
        for method in catalog.methods.values()
    ]
    parts = [
        "# Methods",
        "Each method is one file in `search_spaces/methods/`. A control is searched only by name; it stands"
        " beside the winner as a baseline. Where a starting value depends on the base model's size, the table"
        " gives it by number of parameters.",
        _table(("method", "title", "family", "by default", "tasks", "merges"), rows),
    ]
    for method in catalog.methods.values():
        parts += _method_section(method)
    return _page(parts)


def rules_page(catalog: Catalog) -> str | None:
    """docs/rules.md: every recommendation rule with its condition and source; None while there are none."""
    if not catalog.rules:
        return None
    parts = [
        "# Recommendation rules",
        "Each rule is an entry in `search_spaces/rules/`. `verified` means that the claim was seen in its"
        " source; `prior` that it is recalled and shown as such.",
    ]
    for rule in catalog.rules.values():
        parts += _rule_section(rule)
    return _page(parts)


def devices_page(catalog: Catalog) -> str | None:
    """docs/devices.md: the table of devices that times are predicted for, with sources."""
    columns = ("name", "device", "usable memory", "bandwidth", "float32", "float16", "bfloat16", "also called")
    rows = [
        (
            gpu.id,
            gpu.title,
            "varies" if gpu.usable_bytes is None else format_bytes(gpu.usable_bytes),
            f"{gpu.bandwidth_bytes_per_second / 1e9:,.0f} GB/s",
            *(f"{gpu.flops_per_second[dtype] / 1e12:.4g} T" for dtype in ("float32", "float16", "bfloat16")),
            ", ".join(gpu.aliases),
        )
        for gpu in catalog.gpus.values()
    ]
    parts = [
        "# Devices",
        "Each device is one file in `search_spaces/gpus/`; `--gpu NAME` takes any of these names, upper or lower case,"
        " with or without the vendor. FLOP/s are dense, by the data sheet, without TF32, which PyTorch leaves off. A"
        " prediction multiplies them with the share that training reaches (`achieved_share`), set on measured rows of"
        " the L40S (`benchmarks/time_metamath.md`); `autopeft estimate --probe` measures the device at hand instead.",
        _table(columns, rows),
    ]
    for gpu in catalog.gpus.values():
        parts += [f"## {gpu.id}", "\n".join(f"- {_source(source)}" for source in gpu.sources)]
    return _page(parts)


def cli_page(_catalog: Catalog) -> str | None:
    """docs/cli.md: what every command's --help prints, and its examples."""
    with click.Context(cli, info_name="autopeft", terminal_width=HELP_COLUMNS, **cli.context_settings) as group:
        named = [(name, cli.get_command(group, name)) for name in cli.list_commands(group)]
        parts = [
            "# Commands",
            "What `--help` prints. Whatever is wrong with the input is told in one `error:` line with a `hint:`"
            " on what to do about it.",
            *_help(cli, group),
        ]
        for name, command in named:
            if command is not None:
                with click.Context(command, info_name=name, parent=group) as context:
                    parts += [f"## autopeft {name}", *_help(command, context)]
    return _page(parts, COMMANDS_NOTICE)


def _help(command: click.Command, context: click.Context) -> list[str]:
    """The help text and the examples under it, each as a block."""
    text, _, examples = command.get_help(context).partition("Examples:\n")
    return [f"```text\n{text.rstrip()}\n```", f"```sh\n{textwrap.dedent(examples).strip()}\n```"]


GENERATORS: Mapping[str, Callable[[Catalog], str | None]] = {
    "methods.md": methods_page,
    "rules.md": rules_page,
    "devices.md": devices_page,
    "cli.md": cli_page,
}


def _method_section(method: MethodSpec) -> list[str]:
    role = ", a control" if method.role == "control" else ""
    needs = "".join(f" Needs a model that {name.replace('_', ' ')}." for name in method.requires)
    if method.by_name_only:
        needs += f" Used only when it is named: {method.by_name_only}."
    facts = [
        (name.replace("_", " "), ANSWERS[fact.value], fact.provenance) for name, fact in method.capabilities.items()
    ]
    return [
        f"## {method.id}",
        f"**{method.title}** ({method.family}{role}). {method.summary}{needs}",
        _table(("knob", "range", "starts at"), [(k.name, _range(k), _start(k)) for k in method.knobs]),
        _table(("can", "", "known from"), facts),
        "Sources:\n\n" + "\n".join(f"- {_source(source)}" for source in method.sources),
    ]


def _rule_section(rule: Rule) -> list[str]:
    effects = "; ".join(
        f"{effect.kind} {', '.join(effect.methods)}"
        + (f" (weight {effect.weight:g})" if effect.kind in {"prefer", "penalise"} else "")
        for effect in rule.effects
    )
    lines = (f"When `{rule.when}`: {effects}.", f"Source ({rule.status}): {_source(rule.source)}")
    return [f"## {rule.id}", f"**{rule.title}.** {rule.because}", *lines]


def _tasks(method: MethodSpec) -> str:
    return ", ".join(method.tasks) or "all"


def _range(knob: Knob) -> str:
    if knob.kind == "categorical":
        return ", ".join(map(str, knob.choices))
    return f"{knob.low:g} to {knob.high:g}{', logarithmic' if knob.log else ''}"


def _start(knob: Knob) -> str:
    steps = [f"{_value(value)} up to {format_count(limit)}" for limit, value in knob.size_defaults]
    return "; ".join([*steps, f"{_value(knob.default)}{' above' if steps else ''}"])


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _source(source: Source) -> str:
    place = f"{source.ref}, {source.where}" if source.where else source.ref
    return f"{place}: {source.says}" if source.says else place


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _page(parts: Iterable[str], notice: str = NOTICE) -> str:
    return "\n\n".join([notice, *parts]) + "\n"


def main(arguments: Sequence[str] | None = None, folder: Path = DOCS) -> int:
    """Write or check the pages in `folder`; the exit status."""
    parser = argparse.ArgumentParser(description="Write the pages that are generated.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is out of date")
    check = parser.parse_args(arguments).check
    catalog, stale = load_catalog(), 0
    for name, generate in GENERATORS.items():
        page, path = generate(catalog), folder / name
        if page is None or (path.is_file() and path.read_text("utf-8") == page):
            continue
        if check:
            sys.stderr.write(f"docs/{name} is out of date; run `make docs`\n")
            stale = 1
        else:
            path.write_text(page, "utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
