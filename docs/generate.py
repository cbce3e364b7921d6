"""Writes the pages of the documentation that come from the catalogue and the command line.

python docs/generate.py           write them
python docs/generate.py --check   exit with 1 and name the pages that are out of date
"""

import argparse
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
from capability_table import capabilities_page
from from_code import python_page, result_page
from page import page, table
from tasks_page import tasks_page

from autopeft.catalog import Catalog, load_catalog
from autopeft.catalog.findings import load_findings
from autopeft.cli.main import cli
from autopeft.domain.facts import FACTS, Fact
from autopeft.domain.knobs import Knob
from autopeft.domain.methods import MethodSpec, Source
from autopeft.domain.rules import Rule
from autopeft.domain.units import format_bytes, format_count
from autopeft.domain.wording import condition_in_words, effect_in_words, standing

DOCS = Path(__file__).parent
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
        "ProPELT (arXiv 2305.17682), which shares one adapter among layers under trained masks, is not built: the"
        " sources behind this catalogue name its results and not its details. Which of peft's own methods are left out,"
        " and why, stands in `search_spaces/peft/left-out.yaml`.",
        table(("method", "title", "family", "by default", "tasks", "merges"), rows),
    ]
    for method in catalog.methods.values():
        parts += _method_section(method)
    return page(parts)


def rules_page(catalog: Catalog) -> str | None:
    """docs/rules.md: every recommendation rule in full, and the findings that none carries out."""
    if not catalog.rules:
        return None
    parts = [
        "# Recommendation rules",
        "Each rule is an entry in `search_spaces/rules/`. A verified rule's claim was seen in its source; a prior is"
        " recalled, is shown as such, and its points count by its confidence. Only what is infeasible or incompatible"
        " is excluded; what is merely worse is penalised. `autopeft explain ID` prints one of them,"
        " `benchmarks/scenarios/` holds situations in which each of them fires.",
        table(("rule", "says", "status"), [_rule_row(rule) for rule in catalog.rules.values()]),
    ]
    for rule in catalog.rules.values():
        parts += _rule_section(rule)
    left_out = [finding for finding in load_findings().values() if finding.left_out]
    parts += [
        "## Findings without a rule",
        f"The rules start from the {len(load_findings())} findings of `search_spaces/evidence/findings/survey.yaml`."
        " These are left out:",
        table(("finding", "why"), [(finding.id, " ".join(finding.left_out.split())) for finding in left_out]),
        "## Facts",
        "What a rule's condition may ask for. A fact that nobody gave is unknown, and a condition that hangs on it does"
        " not hold.",
        table(("fact", "is", "meaning"), [(f"`{fact.name}`", _kind(fact), fact.meaning) for fact in FACTS.values()]),
    ]
    return page(parts)


def _kind(fact: Fact) -> str:
    """Number with its unit, flag, or the texts that it may be."""
    unit = f", {fact.unit}" if fact.unit else ""
    return (", ".join(fact.values) or fact.kind) + unit


def _rule_row(rule: Rule) -> tuple[str, str, str]:
    return f"[{rule.id}](#{rule.id.lower()})", rule.title, rule.status


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
        table(columns, rows),
    ]
    for gpu in catalog.gpus.values():
        parts += [f"## {gpu.id}", "\n".join(f"- {_source(source)}" for source in gpu.sources)]
    return page(parts)


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
    return page(parts, COMMANDS_NOTICE)


def _help(command: click.Command, context: click.Context) -> list[str]:
    """The help text and the examples under it, each as a block."""
    text, _, examples = command.get_help(context).partition("Examples:\n")
    return [f"```text\n{text.rstrip()}\n```", f"```sh\n{textwrap.dedent(examples).strip()}\n```"]


GENERATORS: Mapping[str, Callable[[Catalog], str | None]] = {
    "methods.md": methods_page,
    "capabilities.md": capabilities_page,
    "rules.md": rules_page,
    "devices.md": devices_page,
    "tasks.md": tasks_page,
    "cli.md": cli_page,
    "python.md": python_page,
    "result-schema.md": result_page,
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
        table(("knob", "range", "starts at"), [(k.name, _range(k), _start(k)) for k in method.knobs]),
        table(("can", "", "known from"), facts),
        "Sources:\n\n" + "\n".join(f"- {_source(source)}" for source in method.sources),
    ]


def _rule_section(rule: Rule) -> list[str]:
    effects = [f"- {effect_in_words(effect, effect.weight * rule.confidence)}" for effect in rule.effects]
    cases = [
        (
            ", ".join(f"`{name}` {_value(value)}" for name, value in case.given.items()),
            "fires" if case.fires else "does not fire",
        )
        for case in rule.cases
    ]
    return [
        f"## {rule.id}",
        f"**{rule.title}.** {rule.because}",
        f"When {condition_in_words(rule.when)} (`{rule.when}`):",
        "\n".join(effects),
        f"{standing(rule)} Source: {_source(rule.source)}",
        table(("case", ""), cases),
    ]


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
