"""What fired rules do to a method: points, exclusions, starting values and ranges."""

import pytest

from autopeft.domain.knobs import Knob
from autopeft.domain.methods import Capability, MethodSpec
from autopeft.domain.rules import Effect, Rule
from autopeft.recommend.advice import advised
from autopeft.recommend.engine import judge
from tests.unit.recommend.factories import SOURCE, method


def rule(*effects: Effect, status: str = "verified", confidence: float = 1.0) -> Rule:
    return Rule("R1", "r", "true", effects, "because", SOURCE, status, (), confidence=confidence)  # type: ignore[arg-type]


def knob(spec: MethodSpec, name: str = "learning_rate") -> Knob:
    return next(one for one in spec.knobs if one.name == name)


RATE = "learning_rate"  # from 1e-5 to 1e-1; starts at 1e-2 up to 10^9 parameters, at 1e-3 above
LORA = method("lora")
SET = Effect("set", ("lora",), knob=RATE, value=5e-3)


def test_a_start_that_is_set_holds_for_every_size() -> None:
    spec = advised(LORA, [rule(SET)])
    assert [spec.start(size)[RATE] for size in (10**6, 10**12)] == [5e-3, 5e-3]
    assert (knob(spec).low, knob(spec).high) == (1e-5, 1e-1)


def test_another_method_and_another_knob_are_left_alone() -> None:
    assert advised(method("ia3"), [rule(SET)]) == method("ia3")
    assert advised(LORA, [rule(Effect("set", ("lora",), knob="r", value=4))]) == LORA


def test_a_narrow_range_pulls_the_starts_in() -> None:
    spec = advised(LORA, [rule(Effect("narrow", ("lora",), knob=RATE, low=1e-4, high=2e-3))])
    assert (knob(spec).low, knob(spec).high) == (1e-4, 2e-3)
    assert [spec.start(size)[RATE] for size in (10**6, 10**12)] == [2e-3, 1e-3]


def test_ranges_that_several_rules_narrow_are_what_all_allow() -> None:
    first = Effect("narrow", ("lora",), knob=RATE, low=1e-4, high=5e-2)
    second = Effect("narrow", ("*",), knob=RATE, low=1e-3)
    spec = advised(LORA, [rule(first), rule(second)])
    assert (knob(spec).low, knob(spec).high) == (1e-3, 5e-2)
    assert advised(LORA, [rule(second), rule(first)]) == spec


def test_a_wide_range_allows_values_that_were_refused() -> None:
    spec = advised(LORA, [rule(Effect("widen", ("lora",), knob=RATE, high=1.0))])
    assert spec.complete({RATE: 0.5}, 1)[RATE] == 0.5
    assert spec.start(1) == LORA.start(1)


def test_a_range_comes_before_a_start_whatever_the_order() -> None:
    wider = Effect("widen", ("lora",), knob=RATE, high=1.0)
    far = Effect("set", ("lora",), knob=RATE, value=0.7)
    assert advised(LORA, [rule(far, wider)]).start(1)[RATE] == 0.7
    assert advised(LORA, [rule(far)]).start(1)[RATE] == 1e-1


def test_a_prior_counts_by_its_confidence() -> None:
    (reason,) = judge(LORA, [rule(Effect("prefer", ("lora",), 2.0), status="prior", confidence=0.7)]).reasons
    assert reason.score == pytest.approx(1.4)
    assert reason.source.startswith("prior")


def test_require_leaves_out_what_it_does_not_mean() -> None:
    mergeable = method("a", capabilities={"mergeable": Capability(True, "tried")})
    fixed = method("b", capabilities={"mergeable": Capability(False, "tried")})
    unchecked = method("c", capabilities={"mergeable": Capability(None, "not checked")})
    required = [rule(Effect("require", ("can:mergeable",), ground="incompatible"))]
    assert [bool(judge(one, required).exclusions) for one in (mergeable, fixed, unchecked)] == [False, True, True]


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("*", "abc"),
        ("hybrid", "c"),
        ("a", "a"),
        ("can:mergeable", "a"),
        ("cannot:mergeable", "b"),
        ("knob:learning_rate", "abc"),
        ("builder:LORA", "ab"),
        ("requires:has_biases", "b"),
        ("additive & cannot:mergeable", "b"),
        ("additive&can:mergeable", "a"),
    ],
)
def test_methods_are_meant_by_what_they_are(selector: str, meant: str) -> None:
    methods = [
        method("a", capabilities={"mergeable": Capability(True, "tried")}),
        method("b", capabilities={"mergeable": Capability(False, "tried")}, requires=("has_biases",)),
        method("c", family="hybrid", builder="MAM"),
    ]
    told = [rule(Effect("prefer", (selector,), but=("z",)))]
    assert "".join(one.id for one in methods if judge(one, told).reasons) == meant
    assert not any(judge(one, [rule(Effect("prefer", ("*",), but=(selector,)))]).reasons for one in methods
                   if one.id in meant)  # fmt: skip
