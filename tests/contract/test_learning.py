"""At its starting values, its head frozen, every method lowers the loss of a real task, and all of its tensors move."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from learning import LEAST_FALL, UNUSED, learn
from method_cases import FAMILIES, Case, all_cases

# Real models first; each method is tried on one of them by default, on every model in the slow run.
REAL = ("minilm-tiny-distilled", "stories260k", "t5-tiny-news")
ORDER = (*REAL, *(family for family in FAMILIES if family not in REAL))
MODELS_BY_DEFAULT = 1


def _cases() -> Iterator[Any]:
    seen: Counter[str] = Counter()
    trains_itself = [case for case in all_cases() if case.method_id != "head-only"]
    for case in sorted(
        trains_itself, key=lambda one: (one.family not in REAL, REAL.index(one.family) if one.family in REAL else 0)
    ):
        seen[case.method_id] += 1
        marks = [pytest.mark.slow] if seen[case.method_id] > MODELS_BY_DEFAULT else []
        yield pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", _cases())
def test_the_adapter_learns_with_its_head_frozen(
    case: Case, material: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = learn(case, tmp_path_factory.getbasetemp())
    assert run.fall > LEAST_FALL
    still = [name for name in run.still if not any(part in name for part in UNUSED.get(case.method_id, ()))]
    assert run.tensors and still == []
