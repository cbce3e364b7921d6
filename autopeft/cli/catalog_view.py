"""How entries of the catalogue are printed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import click

from autopeft.catalog.contents import Catalog
from autopeft.cli.tables import Output, plain_value, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.knobs import Knob
from autopeft.domain.methods import MethodSpec, Source

_ANSWERS = {True: "yes", False: "no", None: "unknown"}


def show_methods(catalog: Catalog, output: Output) -> None:
    """All methods, one line each."""
    if output == "json":
        print_json({"methods": [_plain(method) for method in catalog.methods.values()]})
        return
    rows = [(_marked(one), one.family, one.summary) for one in catalog.methods.values()]
    print_table(("method", "family", "what it does"), rows, output)
    click.echo("\n*: used only when it is named; `autopeft methods NAME` says why.", err=True)


def _marked(method: MethodSpec) -> str:
    return f"{method.id} *" if method.by_name_only else method.id


def show_method(method: MethodSpec, output: Output) -> None:
    """One method: knobs, capabilities, sources."""
    if output == "json":
        print_json(_plain(method))
        return
    click.echo(click.style(method.title, bold=True) + f" ({method.id}, {method.family})\n")
    print_paragraph(method.summary, output)
    if method.by_name_only:
        print_paragraph(method.by_name_only, output, label="Used only when named:")
    if method.knobs:
        print_heading("Hyperparameters", output)
        rows = [(knob.name, _range(knob), _defaults(knob)) for knob in method.knobs]
        print_table(("name", "range", "starts at"), rows, output)
    print_heading("Capabilities", output)
    answers = [
        (name.replace("_", " "), _ANSWERS[found.value], found.provenance) for name, found in method.capabilities.items()
    ]
    print_table(("can it", "answer", "how that is known"), answers, output)
    show_sources(method.sources, output)


def show_term(name: str, text: str, output: Output) -> None:
    """A term of the score that comes from no rule."""
    if output == "json":
        print_json({"id": name, "text": text})
        return
    print_paragraph(text, output, label=f"{name}:")


def show_sources(sources: Iterable[Source], output: Output) -> None:
    """A list of sources under its heading."""
    print_heading("Sources", output)
    for source in sources:
        print_paragraph(f"{source.where}: {source.says}".strip(": "), output, label=f"{source.ref}:")


def _range(knob: Knob) -> str:
    if knob.kind == "categorical":
        return ", ".join(map(plain_value, knob.choices))
    return f"{knob.low:g} to {knob.high:g}" + (", log scale" if knob.log else "")


def _defaults(knob: Knob) -> str:
    by_size = [f"{plain_value(value)} up to {limit:.3g} parameters" for limit, value in knob.size_defaults]
    return ", ".join([*by_size, f"{plain_value(knob.default)} above" if by_size else plain_value(knob.default)])


def _plain(method: MethodSpec) -> dict[str, Any]:
    """A method as plain JSON values; `asdict` cannot copy read-only mappings."""
    plain: dict[str, Any] = {name: getattr(method, name) for name in method.__dataclass_fields__}
    return plain | {
        "knobs": [asdict(knob) for knob in method.knobs],
        "sources": [asdict(source) for source in method.sources],
        "settings": dict(method.settings),
        "targets": {field: list(roles) for field, roles in method.targets.items()},
        "capabilities": _capabilities(method),
    }


def _capabilities(method: MethodSpec) -> Mapping[str, Any]:
    return {name: {"value": found.value, "provenance": found.provenance} for name, found in method.capabilities.items()}
