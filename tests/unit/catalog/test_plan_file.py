"""Plans: written, read back, and refused with file and line where they are broken."""

from pathlib import Path

import pytest

from autopeft.api.search_plan import options_of_plan
from autopeft.catalog.plan_file import PlanFile, PlannedCandidate, plan_text, read_plan
from autopeft.errors import CatalogError

LORA = PlannedCandidate(
    method="lora",
    start={"learning_rate": 2e-4, "r": 8},
    micro_batch_size=4,
    accumulation=2,
    gradient_checkpointing=False,
    dtype="bfloat16",
)
PLAN = PlanFile(
    model="gpt2", task="causal-lm", gpu_mem_bytes=8 * 10**9, batch_size=8, max_length=128, candidates=[LORA]
)


def written(folder: Path, plan: PlanFile) -> Path:
    file = folder / "plan.yaml"
    file.write_text(plan_text(plan), encoding="utf-8")
    return file


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_plan(written(tmp_path, PLAN)) == PLAN


def test_a_plan_says_what_search_is_to_do(tmp_path: Path) -> None:
    asked = options_of_plan(written(tmp_path, PLAN))
    assert asked["methods"] == ("lora",)
    assert asked["starts"] == {"lora": {"learning_rate": 2e-4, "r": 8}}
    assert (asked["model"], asked["gpu_mem"], asked["batch_size"]) == ("gpt2", 8 * 10**9, 8)


@pytest.mark.parametrize("first", ["nf4", None])
def test_a_search_holds_the_base_as_the_first_candidate_does_or_as_asked(tmp_path: Path, first: str | None) -> None:
    quantised = LORA.model_copy(update={"method": "ia3", "quantization": "nf4"})
    candidates = [quantised, LORA] if first else [LORA, quantised]
    plan = written(tmp_path, PLAN.model_copy(update={"candidates": candidates}))
    asked = options_of_plan(plan)
    assert (asked["base_precision"], asked["methods"]) == (first, ("ia3",) if first else ("lora",))
    assert options_of_plan(plan, "int8")["methods"] == tuple(one.method for one in candidates)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "plan.yaml:1"),
        ("model: [", "plan.yaml:"),
        (plan_text(PLAN).replace("batch_size: 8", "batch_size: 0"), "batch_size"),
        (plan_text(PLAN).replace("task: causal-lm\n", ""), "task: is missing"),
        (plan_text(PLAN) + "surprise: 1\n", "surprise: unknown field"),
        ("model: !!python/object/apply:os.system [echo]\n", "not allowed"),
    ],
    ids=["empty", "no yaml", "a zero", "a missing field", "an unknown field", "code"],
)
def test_a_broken_plan_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as refused:
        read_plan(file)
    assert told in refused.value.message
    assert "plan" in str(refused.value.hint)


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml")
