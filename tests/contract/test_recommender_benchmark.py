"""The ranking is held to published tables: what benchmarks/recommender.md claims is computed anew."""

import json

import pytest

from autopeft.catalog.load import load_catalog
from benchmarks.recommender import HERE, Held, hold_all

HELD = hold_all(load_catalog())
ALL = [pytest.param(one, id=f"{one.setting}, {'without' if one.without_source else 'with'}") for one in HELD]
# What is asked of the maths table with its own evidence, and of every table without.
WITH, WITHOUT = 0.85, 0.6


@pytest.mark.parametrize("held", ALL)
def test_the_order_is_near_the_measured_one(held: Held) -> None:
    assert held.spearman >= (WITHOUT if held.without_source else WITH)
    assert not held.top_in_worst_third
    if held.table == "peft-metamath":
        assert len(held.known) >= 6


def test_the_page_says_what_is_computed() -> None:
    recorded = json.loads((HERE / "recommender.json").read_text("utf-8"))["rankings"]
    assert [(one["setting"], one["spearman"]) for one in recorded] == [
        (one.setting, pytest.approx(one.spearman)) for one in HELD
    ]
