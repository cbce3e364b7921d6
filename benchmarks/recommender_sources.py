"""Every other published comparison, foretold without its own campaign.

`recommender.py` puts the page together. Asked as twenty trials, since these authors tuned their runs. Where a table
stands in its own method's paper, the ranking is also held to it without that method.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from autopeft.catalog.contents import Catalog
from autopeft.domain.evidence import Comparison, Evidence
from autopeft.domain.models import Kind
from autopeft.recommend.quality import MOST_DOUBLINGS, doublings

LEAST_METHODS = 4
TRIALS = 20
# Paper -> the method that it proposes.
OWN = {
    "adalora-2303-10512": "adalora",
    "c3a-2407-19342": "c3a",
    "dora-2402-09353": "dora",
    "fu-2211-15583": "sam",
    "he-2110-04366": "mam",
    "lora-2106-09685": "lora",
    "miss-2409-15371": "miss",
    "psoft-2505-11235": "psoft",
    "tfew-2205-05638": "ia3",
    "vera-2310-11454": "vera",
}
# What a comparison is asked on where its source names no model of the catalogue, or not even a kind of it.
STAND_IN: dict[Kind, str] = {
    "encoder": "roberta-base",
    "decoder": "meta-llama/Llama-2-7b-hf",
    "encoder-decoder": "google/t5-v1_1-xl",
}
UNSTATED_KIND: dict[str, Kind] = {"fu-2211-15583": "encoder", "he-2110-04366": "encoder-decoder"}
TASKS = {
    ("encoder", "understanding"): "sequence-classification",
    ("decoder", "understanding"): "classification-as-text",
    ("encoder-decoder", "understanding"): "classification-as-text",
    ("decoder", "generation"): "instruction-tuning",
    ("encoder-decoder", "generation"): "summarization",
}


@dataclass(frozen=True)
class Question:
    """A comparison, and how the recommender is asked for it."""

    table: Evidence
    comparison: Comparison
    model: str
    task: str


@dataclass(frozen=True)
class Foretold:
    """How one comparison was foretold.

    Attributes:
        source: id of the table.
        title: of the comparison.
        methods: how many are ranked.
        spearman: over all of them.
        spearman_others: without the authors' own method.
        spearman_once: with each run once.
        spearman_once_others: both.
        top_pick: the method ranked first.
        top_in_worst_third: whether it was measured to be there.
        range_doublings: between the worst and the best method.
    """

    source: str
    title: str
    methods: int
    spearman: float
    spearman_others: float
    spearman_once: float
    spearman_once_others: float
    top_pick: str
    top_in_worst_third: bool
    range_doublings: float


def questions(catalog: Catalog, apart: frozenset[str]) -> Iterator[Question]:
    """The comparisons with figures of at least four methods, but for the tables in `apart`."""
    for table in catalog.evidence.values():
        if table.id in apart:
            continue
        for comparison in table.comparisons:
            if len({one.method for one in comparison.measurements}) >= LEAST_METHODS:
                kind = comparison.architecture_kind or UNSTATED_KIND[table.id]
                task = TASKS[kind, comparison.task_kind or "understanding"]
                yield Question(table, comparison, comparison.model or STAND_IN[kind], task)


def repeated(comparison: Comparison) -> frozenset[str]:
    """Methods whose only run there also stands for one that is listed before: LoRA on every layer beside LoRA."""
    first: dict[tuple[str, float], str] = {}
    for one in comparison.measurements:
        first.setdefault((one.logged_as, one.value), one.method)
    runs = [(one.method, first[one.logged_as, one.value]) for one in comparison.measurements]
    return frozenset(name for name, _ in runs) - frozenset(name for name, standing in runs if name == standing)


def range_of(values: list[float]) -> float:
    """Doublings of the odds between the worst and the best figure of a comparison."""
    return min(MOST_DOUBLINGS, doublings(max(values), min(values)))


def sources_text(found: list[Foretold]) -> str:
    """One row for each comparison, and the means."""
    lines = [
        "",
        "## Every other table, left out in turn",
        "",
        "Each comparison of at least four methods, asked as twenty trials without its campaign's evidence and rules.",
        "`others`: without the method that the paper proposes, which is ahead there and of which hardly another table",
        "tells. `once`: a run that the tables hold for two methods counts for the one listed first. Authors who adapt",
        "every layer with all methods give one LoRA, which is the catalogue's lora and lora-all, but the DoRA beside",
        "it is the catalogue's dora on other layers, while lora-all is preferred for its layers (P25). `range`:",
        "doublings of the odds of a right answer between the worst and the best method; where it is small, the order",
        "is mostly one of ties.",
        "",
        "| source | comparison | methods | range | Spearman | others | once | once, others | first pick |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in found:
        worst = " (among the worst third)" if one.top_in_worst_third else ""
        lines.append(
            f"| {one.source} | {one.title} | {one.methods} | {one.range_doublings:.2f} | {one.spearman:.2f} "
            f"| {one.spearman_others:.2f} | {one.spearman_once:.2f} | {one.spearman_once_others:.2f} "
            f"| {one.top_pick}{worst} |"
        )
    wide = [one for one in found if one.range_doublings >= 0.5]
    for name, kept in (("all", found), ("range of at least 0.5", wide)):
        lines.append(
            f"| **mean** | {name}, {len(kept)} comparisons | | | {fmean(one.spearman for one in kept):.2f} "
            f"| {fmean(one.spearman_others for one in kept):.2f} | {fmean(one.spearman_once for one in kept):.2f} "
            f"| {fmean(one.spearman_once_others for one in kept):.2f} | |"
        )
    return "\n".join(lines) + "\n"
