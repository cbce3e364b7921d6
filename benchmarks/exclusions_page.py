"""The page of `exclusions.py`: how often the recommender was right, and each case in which it was not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

QUANTISED = "4-bit base"
BUDGET_SHARES = (0.9, 1.0, 1.1)
# The whole request is refused, by its length: no verdict on a method.
REQUEST = "request"
RIGHT_OFFER, RIGHT_EXCLUSION = "offered, works", "left out, does not work"
WRONG_OFFER, WRONG_EXCLUSION = "offered, does not work", "left out, works"
REFUSED_OUTRIGHT, NOT_CHECKED = "too long for the model's training, runs", "not checked"
# What makes up for quantising has nothing to do on a base that is not quantised: what trains is the plain method.
NOTHING_TO_DO = "nothing to make up for, runs as LoRA"
WRONG = (WRONG_OFFER, WRONG_EXCLUSION, NOTHING_TO_DO, REFUSED_OUTRIGHT)
KINDS = (RIGHT_OFFER, RIGHT_EXCLUSION, *WRONG, NOT_CHECKED)


def page(found: Mapping[str, Any]) -> str:
    """The result for people."""
    sampled = [row for row in found["cases"] if row["case"]["setting"] != QUANTISED]
    quantised = [row for row in found["cases"] if row["case"]["setting"] == QUANTISED]
    lines = [
        *_heading(sampled, found["seed"]),
        *_tally(sampled),
        "",
        "## Where they differ",
        "",
        *(_difference(row) for kind in WRONG for row in found["cases"] if row["kind"] == kind),
        "",
        "A request is refused when its texts are longer than the model was trained for. Rotary and relative positions",
        "compute all the same, so these cases run; what comes out beyond the trained length is nothing to rely on.",
        "LoftQ starts LoRA at what quantising took from the base. On a base in full precision that is nothing, and",
        "what was trained is plain LoRA, which is offered under its own name.",
        "",
        *_quantised_lines(quantised),
        *_memory_lines(found["memory"]),
    ]
    return "\n".join(lines) + "\n"


def _quantised_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["Quantised bases were not tried in this run (`--quantised` does, with bitsandbytes).", ""]
    title = f"{len(rows)} methods on a small Llama in 4 bits (nf4), on a CPU; without bitsandbytes nothing is checked."
    return ["## Quantised bases", "", title, "", *_tally(rows), ""]


def _heading(sampled: Sequence[Mapping[str, Any]], seed: int) -> list[str]:
    models, methods = ({row["case"][name] for row in sampled} for name in ("model_type", "method"))
    return [
        "# Exclusions and offers, tried",
        "",
        f"`PYTHONPATH=. python benchmarks/exclusions.py --seed {seed} --quantised 84`: what the recommender says in",
        f"{len(sampled)} sampled cases, over {len(models)} model types and {len(methods)} methods,",
        "held to a tiny real model that is wrapped and trained for two steps. It works where the losses are finite,",
        "head and adapter change and nothing else does, a class does not hang on padding, an answer's position is the",
        "text's, and, where it was asked for, the adapter merges without changing the outputs. Where the recommender",
        "says no, peft alone wraps.",
        "",
    ]


def _tally(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    settings = sorted({row["case"]["setting"] for row in rows})
    counts = Counter((row["case"]["setting"], row["kind"]) for row in rows)
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    sums = [sum(counts[setting, kind] for setting in settings) for kind in kinds]
    return [
        f"| setting | {' | '.join(kinds)} |",
        f"| --- |{' ---: |' * len(kinds)}",
        *(f"| {setting} | {' | '.join(str(counts[setting, kind]) for kind in kinds)} |" for setting in settings),
        *([f"| **all** | {' | '.join(map(str, sums))} |"] if len(settings) > 1 else ()),
    ]


def _difference(row: Mapping[str, Any]) -> str:
    case, verdict = row["case"], row["verdict"]
    said = f"{verdict['why']} [{verdict['rule']}]" if verdict["rule"] else "offered"
    where = f"{case['method']} on {case['model_type']}, {case['task']}, {case['setting']}"
    return f"- *{row['kind']}*: {where}. Said: {said}. Tried: {row['what']}."


def _memory_lines(memory: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "## Memory",
        "",
        f"{len(memory) // len(BUDGET_SHARES)} measured runs (`memory_metamath.json`), each asked whether it fits a",
        "share of what was measured; the device's context, which nobody measured there, counts on neither side.",
        "",
        "| budget | right | said to fit, does not | said not to fit, does |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for share in BUDGET_SHARES:
        told = Counter((row["fits"], row["said_to_fit"]) for row in memory if row["budget_share"] == share)
        right = told[True, True] + told[False, False]
        lines.append(f"| {share:.0%} | {right} | {told[False, True]} | {told[True, False]} |")
    missed = [row["error"] for row in memory if row["fits"] != row["said_to_fit"]]
    worst = f"{max(missed):.1%}" if missed else "0 %"
    return [
        *lines,
        "",
        f"At exactly the measured bytes any prediction that errs high says no; the furthest is {worst} above.",
    ]
