"""The page of what each method was tried on: declared and tested, method by model, with the last full result."""

import json
from pathlib import Path
from typing import Any

from page import page, table

from autopeft.catalog import Catalog

_CONTRACT = Path(__file__).parent.parent / "tests" / "contract"
RECORD = _CONTRACT / "method_matrix.json"
LEARNING = _CONTRACT / "method_learning.json"
_CAPABILITIES = ("mergeable", "gradient_checkpointing", "quantized_base", "starts_at_base", "restores_base")
_ANSWERS = {True: "yes", False: "no", None: "?"}


def capabilities_page(catalog: Catalog) -> str | None:
    """docs/capabilities.md, from the catalogue and the recorded matrix."""
    record: dict[str, Any] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    parts = [
        "# What each method was tried on",
        "Declared is what `search_spaces/methods/` says; `?` means that nobody has checked."
        " `tests/contract/test_capabilities.py` merges and recomputes activations with every method on small BERT and"
        " Llama models and fails where that is not what is declared.",
        table(("method", *(name.replace("_", " ") for name in _CAPABILITIES)), _declared(catalog)),
        "## Method by model",
        "Each cell runs the checks of `tests/contract/test_methods.py`: only what is declared trains, the base stays"
        " as it was, the start is the base (to 1e-5, or three times the base's own distance from its answers in"
        " float64), the loss falls within six steps, disabling gives the base back bit by bit, the estimate counts the"
        " same parameters, and the saved adapter reloads bit by bit, in a fresh process too."
        " A number: so many checks passed, all of them. `refused`: the model cannot take it, which is said before"
        " training. `-`: the method is not for this kind of model. Anything else is named below. Recorded with"
        " `python tests/contract/record_matrix.py`.",
    ]
    if not record:
        return page([*parts, "Nothing has been recorded yet."])
    parts += [table(("method", *record), _cells(catalog, record)), _when(record), "## Misses", _misses(record)]
    return page([*parts, *_learning(catalog)])


def _learning(catalog: Catalog) -> list[str]:
    """What sixty steps did on real rows, method by model."""
    record: dict[str, Any] = json.loads(LEARNING.read_text("utf-8")) if LEARNING.exists() else {}
    if not record:
        return []
    rows = [(name, *(_fall(one["methods"].get(name)) for one in record.values())) for name in catalog.methods]
    return [
        "## Sixty steps with the head frozen",
        "By how much the loss of a real small task (64 rows of SST-2, GSM8K or CNN/DailyMail, whichever the model's"
        " task takes) falls within 60 steps at the method's starting values, its head frozen, so that the adapter alone"
        " learns. Real weights for minilm-tiny-distilled, stories260k and t5-tiny-news; random ones elsewhere, drawn as"
        " wide for their size as 0.02 is for BERT's, with biases, in which there is less to find. "
        "`*`: a tensor of the adapter stayed as it was. How fast a method is here says nothing"
        " of how good it gets. Recorded with `python tests/contract/record_learning.py`;"
        " `tests/contract/test_learning.py` fails where the loss does not fall or a tensor stays.",
        table(("method", *record), rows),
    ]


def _fall(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    if "error" in row:
        return "failed"
    return f"{1 - row['end_loss'] / row['start_loss']:.0%}{'*' if row['still'] else ''}"


def _declared(catalog: Catalog) -> list[tuple[str, ...]]:
    # These two hold unless a method says otherwise.
    usual = {"starts_at_base": True, "restores_base": True}
    return [
        (
            method.id,
            *(_ANSWERS[usual.get(name) if method.can(name) is None else method.can(name)] for name in _CAPABILITIES),
        )
        for method in catalog.methods.values()
    ]


def _cells(catalog: Catalog, record: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(name, *(_cell(record[family], name) for family in record)) for name in catalog.methods]


def _cell(family: dict[str, Any], method: str) -> str:
    if method not in family["passed"]:
        return "-"
    failed = family["failed"].get(method, [])
    if method in family["refused"] and not failed:
        return "refused"
    return f"{family['passed'][method]}, {len(failed)} missed" if failed else str(family["passed"][method])


def _when(record: dict[str, Any]) -> str:
    told = []
    for family, one in record.items():
        versions = ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        told.append(f"- {family}: {one['date']}, {sum(one['passed'].values())} checks passed ({versions})")
    return "\n".join(told)


def _misses(record: dict[str, Any]) -> str:
    lines = [
        f"- {family}, {method}: {', '.join(name.replace('_', ' ') for name in names)}"
        for family, one in record.items()
        for method, names in one["failed"].items()
    ]
    return "\n".join(lines) or "None."
