"""The facts that the rules are asked with."""

from autopeft.domain.facts import FACTS
from autopeft.domain.memory import StepShape
from autopeft.recommend.facts import gather_facts
from autopeft.recommend.options import Options
from tests.unit.recommend.factories import ARCHITECTURE, MODEL, TASK


def test_every_fact_of_the_vocabulary_is_given_and_of_its_kind() -> None:
    options = Options(budget_bytes=10, training_rows=3, max_steps=4, priority="speed")
    facts = gather_facts(MODEL, TASK, ARCHITECTURE, 7, options)
    assert set(facts) == set(FACTS)
    kinds = {"number": (int, float), "text": (str,), "flag": (bool,)}
    for name, value in facts.items():
        assert isinstance(value, kinds[FACTS[name].kind]), name


def test_what_nobody_said_is_unknown() -> None:
    facts = gather_facts(MODEL, TASK, ARCHITECTURE, 7, Options())
    assert {name for name, value in facts.items() if value is None} == {
        "training_rows", "max_steps", "budget_bytes", "memory_ratio", "priority",
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
