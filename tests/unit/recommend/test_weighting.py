"""How much a measurement counts: by its precision, and one paper as one voice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopeft.domain.evidence import Comparison, Evidence, Measurement
from autopeft.recommend.nearness import Situation
from autopeft.recommend.quality import Quality
from autopeft.recommend.weighting import one_voice, precision
from tests.unit.recommend.factories import SOURCE, method

HERE = Situation(10**9, "decoder", "generation")
IA3 = method("ia3", builder="IA3")
METHODS = {one.id: one for one in (method("lora"), IA3)}


def table(name: str, value: float, size: int = 10**9, comparisons: int = 1) -> Evidence:
    rows = (Measurement("lora", 0.5), Measurement("ia3", value))
    found = tuple(
        Comparison(f"{name} {number}", "m", "accuracy", rows, (), size, "decoder", "generation")
        for number in range(comparisons)
    )
    return Evidence(name, name, SOURCE, comparisons=found, campaign=name)


def expected(*tables: Evidence) -> float:
    return Quality(tables, HERE, METHODS).expect(IA3, None).mean


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_nearer_never_counts_less(one: float, other: float) -> None:
    nearer, farther = max(one, other), min(one, other)
    assert precision(nearer) >= precision(farther) >= 0


def test_the_very_situation_outweighs_several_that_lie_farther_off() -> None:
    near = [table(f"near {number}", 0.3, size=10**10) for number in range(3)]
    assert expected(*near) < 0 < expected(*near, table("here", 0.6))


def test_many_tables_of_one_paper_are_one_voice() -> None:
    once, often = (expected(table("one", 0.3, comparisons=number)) for number in (1, 6))
    assert once == pytest.approx(often)
    assert expected(table("one", 0.3), table("another", 0.3)) < once


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20)), max_size=8))
def test_a_campaign_weighs_as_much_as_its_weightiest_measurement(found: list[tuple[str, float]]) -> None:
    scaled = one_voice([(number, campaign, weight) for number, (campaign, weight) in enumerate(found)])
    assert [item for item, _ in scaled] == list(range(len(found)))
    for campaign in {name for name, _ in found}:
        total = sum(weight for item, weight in scaled if found[item][0] == campaign)
        assert total == pytest.approx(max(weight for name, weight in found if name == campaign), abs=1e-9)
