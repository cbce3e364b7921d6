"""The facts that the rules are asked with."""

from typing import get_args

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.domain.facts import FACTS
from autopeft.domain.memory import StepShape
from autopeft.domain.models import Kind, ModelSpec
from autopeft.domain.tasks import Objective
from autopeft.recommend.facts import gather_facts
from autopeft.recommend.objective import Priority
from autopeft.recommend.options import DataFacts, Options
from tests.unit.recommend.factories import ARCHITECTURE, MODEL, TASK

CATALOG = load_catalog()


def test_every_fact_of_the_vocabulary_is_given_and_of_its_kind() -> None:
    options = Options(
        budget_bytes=10,
        training_rows=3,
        max_steps=4,
        priority="speed",
        max_adapter_bytes=5,
        max_latency_overhead=0.1,
        data=DataFacts(0.2, 30, 90, 128, 0.01),
    )
    model = ModelSpec("long", {"model_type": "llama", "max_position_embeddings": 2048})
    facts = gather_facts(model, TASK, ARCHITECTURE, 7, options)
    assert facts["context_tokens"] == 2048
    assert list(facts) == list(FACTS)
    kinds = {"number": (int, float), "text": (str,), "flag": (bool,)}
    for name, value in facts.items():
        assert isinstance(value, kinds[FACTS[name].kind]), name


def test_what_nobody_said_is_unknown() -> None:
    facts = gather_facts(MODEL, TASK, ARCHITECTURE, 7, Options())
    assert {name for name, value in facts.items() if value is None} == {
        "training_rows", "max_steps", "budget_bytes", "memory_ratio", "priority", "context_tokens",
        "minority_share", "length_p50", "length_p95", "length_max", "label_noise",
        "max_adapter_bytes", "max_latency_overhead",
    }  # fmt: skip


def test_weights_are_counted_in_their_dtype() -> None:
    for dtype, expected in (("bfloat16", 14), ("float32", 28)):
        options = Options(shape=StepShape(dtype=dtype), budget_bytes=28)  # type: ignore[arg-type]
        facts = gather_facts(MODEL, TASK, ARCHITECTURE, 7, options)
        assert facts["weight_bytes"] == expected
        assert facts["memory_ratio"] == 28 / expected


def test_three_trials_are_few() -> None:
    assert gather_facts(MODEL, TASK, ARCHITECTURE, 7, Options(trials=3))["few_trials"] is True
    assert gather_facts(MODEL, TASK, ARCHITECTURE, 7, Options(trials=4))["few_trials"] is False


def test_texts_of_the_vocabulary_are_those_of_the_house() -> None:
    assert FACTS["task_type"].values == get_args(Objective)
    assert FACTS["architecture_kind"].values == get_args(Kind)
    assert FACTS["priority"].values == get_args(Priority)


@pytest.mark.parametrize(
    ("task", "writes"),
    [
        ("summarization", True),
        ("instruction-tuning", True),
        ("sequence-classification", False),
        # Their answer is a label, though a written one.
        ("classification-as-text", False),
        ("multiple-choice-as-text", False),
    ],
)
def test_a_label_that_is_written_out_is_a_label(task: str, writes: bool) -> None:
    facts = gather_facts(MODEL, CATALOG.task(task).on("decoder"), ARCHITECTURE, 7, Options())
    assert facts["generates"] is writes


def test_robertas_longest_input_is_what_its_positions_leave() -> None:
    roberta = CATALOG.models["roberta-base"]
    facts = gather_facts(roberta, TASK, ARCHITECTURE, 7, Options())
    assert facts["context_tokens"] == 512
