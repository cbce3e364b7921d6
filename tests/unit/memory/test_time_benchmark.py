"""Predicted against measured time per step, on the rows of benchmarks/time_metamath.py."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from autopeft.memory.pricing import BaseModels

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "time_metamath.py"
# Plain, compute-heavy, of many small kernels, and with another sequence length.
SOME = (
    "lora/llama-3.2-3B-rank32",
    "loha/llama-3.2-3B-rank32",
    "oft/llama-3.2-3B-rank32",
    "prompt_tuning/llama-3.2-3B-default",
)


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("time_metamath", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["time_metamath"] = module
    spec.loader.exec_module(module)
    return module


def test_predicted_time_is_within_fifteen_percent_of_measured(benchmark: ModuleType) -> None:
    bases = BaseModels()
    for row in benchmark._read("peft_metamath_measured.csv"):
        if row["experiment"] in SOME:
            work = benchmark._estimate(row, bases).work
            measured = benchmark.TOKENS_A_STEP / float(row["tokens_per_s_mean"])
            assert benchmark.seconds_per_step(work, benchmark.L40S) == pytest.approx(measured, rel=0.15)


@pytest.mark.slow
def test_methods_rank_by_time_as_they_were_measured(benchmark: ModuleType) -> None:
    found = benchmark.summary(benchmark.metamath_rows())
    assert found["predicted"] == found["rows"] == 22
    assert found["train_time_spearman"] >= 0.9
    assert found["train_time_median_error"] <= 0.2
    assert found["step_spearman"] >= 0.9
    assert found["step_worst_error"] <= 0.2


def test_rank_correlation_gives_ties_the_mean_rank(benchmark: ModuleType) -> None:
    assert benchmark.spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert benchmark.spearman([1, 2, 3], [30, 20, 10]) == pytest.approx(-1)
    assert benchmark.spearman([1, 1, 2], [1, 1, 2]) == pytest.approx(1)
