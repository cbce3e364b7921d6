"""Whatever a file or an option holds: an answer or a one-line refusal; benchmarks/fuzz.py tries many more."""

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("fuzz", Path(__file__).parents[2] / "benchmarks" / "fuzz.py")
assert _SPEC is not None and _SPEC.loader is not None
fuzz = sys.modules["fuzz"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fuzz)
READERS = fuzz.readers()
CASES = 60


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", READERS)
def test_nothing_but_answers_and_refusals(name: str) -> None:
    found = fuzz.measure(READERS[name], CASES)
    assert found["cases"] >= CASES
    assert found.get("refusal")
    assert not found["faults"]
