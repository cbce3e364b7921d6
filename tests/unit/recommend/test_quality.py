"""What measurements say about a method: by nearness, with an uncertainty, and never more than they can."""

import math

import pytest

from autopeft.domain.evidence import Comparison, Evidence, Measurement
from autopeft.recommend.evidence_terms import POINTS, evidence_terms
from autopeft.recommend.nearness import Situation
from autopeft.recommend.quality import ROW_SD, Quality
from tests.unit.recommend.factories import SOURCE, method

HERE = Situation(10**9, "decoder", "generation")
LORA = method("lora")
IA3 = method("ia3", builder="IA3")
RSLORA = method("rslora")
METHODS = {one.id: one for one in (LORA, IA3, RSLORA)}


def table(*values: tuple[str, float], size: int = 10**9, **fields: object) -> Evidence:
    measured = tuple(Measurement(name, value) for name, value in values)
    settings = {"architecture_kind": "decoder", "task_kind": "generation", "model_parameters": size} | fields
    return Evidence("t", "T", SOURCE, comparisons=(Comparison("c", "m", "accuracy", measured, **settings),))  # type: ignore[arg-type]


def test_a_worse_measurement_lowers_what_is_expected() -> None:
    better = Quality([table(("lora", 0.5), ("ia3", 0.6))], HERE, METHODS).expect(IA3, None)
    worse = Quality([table(("lora", 0.5), ("ia3", 0.3))], HERE, METHODS).expect(IA3, None)
    assert better.mean > 0 > worse.mean
    assert better.basis == worse.basis == "near"


def test_the_parts_and_the_terms_sum_to_the_whole() -> None:
    tables = [table(("lora", 0.5), ("ia3", 0.3)), table(("lora", 0.7), ("ia3", 0.72), size=10**8)]
    found = Quality(tables, HERE, METHODS).expect(IA3, -1.0)
    assert found.mean == pytest.approx(math.fsum(share for _, share in found.parts) + found.capacity + found.rate)
    total = math.fsum(term.score for term in evidence_terms(found, 1.0))
    assert total == pytest.approx(POINTS * (found.mean - found.sd))


def test_what_nobody_measured_is_unknown_and_most_uncertain() -> None:
    quality = Quality([table(("lora", 0.5))], HERE, METHODS)
    unknown = quality.expect(IA3, None)
    assert (unknown.basis, unknown.mean, unknown.sd) == ("unknown", 0.0, ROW_SD)
    assert quality.expect(LORA, None).sd < unknown.sd


def test_a_variant_borrows_from_the_same_implementation_and_says_so() -> None:
    quality = Quality([table(("lora", 0.5), ("ia3", 0.3))], HERE, METHODS)
    assert quality.expect(RSLORA, None).basis == "variant"
    assert quality.expect(RSLORA, None).sd > quality.expect(LORA, None).sd


@pytest.mark.parametrize(
    "farther",
    [
        {"size": 10**11},
        {"architecture_kind": "encoder"},
        {"task_kind": "understanding"},
        {"architecture_kind": None},
        {"model_parameters": None},
    ],
    ids=["size", "architecture", "task", "unstated architecture", "unstated size"],
)
def test_what_lies_farther_away_counts_less(farther: dict[str, object]) -> None:
    near = Quality([table(("lora", 0.5), ("ia3", 0.3))], HERE, METHODS).expect(IA3, None)
    far = Quality([table(("lora", 0.5), ("ia3", 0.3), **farther)], HERE, METHODS).expect(IA3, None)  # type: ignore[arg-type]
    assert near.mean < far.mean < 0
    assert near.sd < far.sd


def test_rows_of_another_order_of_magnitude_count_less_only_where_both_are_known() -> None:
    few = Situation(10**9, "decoder", "generation", training_rows=100)
    known = table(("lora", 0.5), ("ia3", 0.3), training_rows=100_000)
    unstated = table(("lora", 0.5), ("ia3", 0.3))
    means = [Quality([one], few, METHODS).expect(IA3, None).mean for one in (known, unstated)]
    assert means[1] < means[0] < 0
    assert Quality([known], HERE, METHODS).expect(IA3, None).mean == pytest.approx(means[1])


def test_a_measurement_at_another_learning_rate_counts_less() -> None:
    def expected(rate: float) -> float:
        rows = (Measurement("lora", 0.5), Measurement("ia3", 0.2, learning_rate=rate))
        comparison = Comparison("c", "m", "accuracy", rows, (), 10**9, "decoder", "generation")
        return Quality([Evidence("t", "T", SOURCE, comparisons=(comparison,))], HERE, METHODS).expect(IA3, None).mean

    own = float(IA3.start(10**9)["learning_rate"])
    assert expected(own) < expected(own / 100) < 0


def test_a_foreign_learning_rate_costs_a_method_that_nobody_measured_there() -> None:
    own = float(IA3.start(10**9)["learning_rate"])
    at_own, far = (
        Quality([], Situation(10**9, "decoder", "generation", None, rate), METHODS).expect(IA3, None)
        for rate in (own, own / 100)
    )
    assert at_own.rate == 0
    assert far.mean == far.rate < 0


def test_fewer_weights_count_only_where_the_runs_near_say_that_they_cost() -> None:
    def slope(value: float) -> float:
        rows = (
            Measurement("lora", 0.5, trainable_parameters=10**6),
            Measurement("ia3", value, trainable_parameters=10**4),
        )
        comparison = Comparison("c", "m", "accuracy", rows, (), 10**9, "decoder", "generation")
        return Quality([Evidence("t", "T", SOURCE, comparisons=(comparison,))], HERE, METHODS).slope

    assert slope(0.3) > 0
    assert slope(0.6) == 0
    assert slope(0.0) == 0, "a failed run tells of its settings"


def test_an_order_without_figures_counts_by_places() -> None:
    ordered = Comparison("c", "m", "order", (), (("lora",), ("ia3",), ("rslora",)), 10**9, "decoder", "generation")
    quality = Quality([Evidence("t", "T", SOURCE, comparisons=(ordered,))], HERE, METHODS)
    first, second, third = (quality.expect(one, None).mean for one in (LORA, IA3, RSLORA))
    assert first == 0 > second > third
