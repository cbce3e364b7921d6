"""How much a method's effect differs from comparison to comparison: what the constants of the weighting rest on."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from autopeft.catalog.contents import Catalog
from autopeft.domain.evidence import Comparison, Measurement
from autopeft.recommend.quality import REFERENCE, doublings

Effect = tuple[Comparison, Measurement, float]


def spread_text(catalog: Catalog) -> str:
    """The three standard deviations, over all tables of the catalogue."""
    by_method: dict[str, list[Effect]] = {}
    for comparison, measured, effect in _effects(catalog):
        by_method.setdefault(measured.method, []).append((comparison, measured, effect))
    best = {method: _best(found) for method, found in by_method.items()}
    alike = [same for found in by_method.values() for same in _same_situation(found)]
    rows = (
        ("one method, between comparisons", [[effect for _, _, effect in found] for found in best.values()]),
        ("one method, same base model, kind of task and learning rate", alike),
        ("means of the methods", [[fmean(effect for _, _, effect in found) for found in best.values()]]),
    )
    lines = ["", "## How much effects differ", "", "Doublings of the odds against LoRA's; failed runs apart.", ""]
    lines += ["| | standard deviation | degrees of freedom |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {sd:.2f} | {freedom} |" for name, (sd, freedom) in ((n, _pooled(g)) for n, g in rows)]
    return "\n".join(lines) + "\n"


def _effects(catalog: Catalog) -> Iterable[Effect]:
    for table in catalog.evidence.values():
        for comparison in table.comparisons:
            references = [one.value for one in comparison.measurements if one.method == REFERENCE]
            for one in comparison.measurements if references else ():
                if one.method != REFERENCE and one.value > 0:
                    yield comparison, one, doublings(one.value, max(references))


def _best(found: Sequence[Effect]) -> list[Effect]:
    """The best configuration of each comparison."""
    best: dict[str, Effect] = {}
    for one in found:
        if one[0].title not in best or one[2] > best[one[0].title][2]:
            best[one[0].title] = one
    return list(best.values())


def _same_situation(found: Sequence[Effect]) -> list[list[float]]:
    groups: dict[tuple[object, ...], list[Effect]] = {}
    for comparison, measured, effect in found:
        if comparison.model_parameters:
            key = (comparison.model_parameters, comparison.architecture_kind, comparison.task_kind)
            groups.setdefault((*key, measured.learning_rate), []).append((comparison, measured, effect))
    return [[effect for _, _, effect in _best(group)] for group in groups.values()]


def _pooled(groups: Iterable[Sequence[float]]) -> tuple[float, int]:
    squares, freedom = 0.0, 0
    for group in groups:
        squares += math.fsum((value - fmean(group)) ** 2 for value in group)
        freedom += len(group) - 1
    return math.sqrt(squares / freedom), freedom
