import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from autopeft.memory.allocator import replay

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "memory_metamath.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("memory_metamath", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["memory_metamath"] = module
    spec.loader.exec_module(module)
    return module


def test_predicted_memory_is_within_three_percent_of_measured(benchmark: ModuleType) -> None:
    rows = benchmark.read_measured()
    errors = [replay(benchmark.predicted_stream(row)) / int(row["accelerator_memory_max_bytes"]) - 1 for row in rows]
    assert len(errors) == 10
    assert benchmark.mean_absolute_error(errors) < 0.03
    assert max(map(abs, errors)) < 0.07
