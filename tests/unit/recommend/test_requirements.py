"""What the asker insists on, and what counts most."""

from types import MappingProxyType

import pytest

from autopeft.domain.methods import Capability
from autopeft.errors import UsageError
from autopeft.recommend.answer import recommend_methods
from autopeft.recommend.objective import PRESETS, read_objective
from autopeft.recommend.options import Options
from autopeft.recommend.requirement_text import read_requirements
from autopeft.recommend.requirements import measured_overheads, refuse_contradiction, unmet
from tests.unit.recommend.factories import ARCHITECTURE, GIB, MODEL, TASK, TableEstimator, method


def able(name: str, **capabilities: bool | None) -> object:
    known = {key: Capability(value, "tried") for key, value in capabilities.items()}
    return method(name, capabilities=MappingProxyType(known))


def test_requirements_are_read_with_their_units() -> None:
    assert read_requirements(["mergeable, max-adapter-mb=8", "max-latency-overhead=10%"]) == {
        "mergeable": True,
        "max_adapter_bytes": 8_000_000,
        "max_latency_overhead": 0.1,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mergable", "did you mean mergeable"),
        ("max-adapter-mb", "max-adapter-mb=8"),
        ("max-adapter-mb=lots", "max-adapter-mb=8"),
        ("max-latency-overhead=-1", "max-latency-overhead=0.1"),
        ("mergeable=yes", "there are"),
    ],
)
def test_a_requirement_that_makes_no_sense_is_told_apart(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_requirements([text])
    assert told in str(refused.value.hint)


def test_only_what_is_known_to_meet_a_requirement_stays() -> None:
    methods = [able("yes", mergeable=True), able("no", mergeable=False), able("open", mergeable=None), able("silent")]
    answer = recommend_methods(
        MODEL, TASK, ARCHITECTURE, base_parameters=10**6, methods=methods, rules=(),  # type: ignore[arg-type]
        estimator=TableEstimator({"yes": (GIB, 1)}), options=Options(mergeable=True),
    )  # fmt: skip
    assert [one.method for one in answer.candidates] == ["yes"]
    texts = {one.method: one.reasons[0].text for one in answer.excluded}
    assert set(texts) == {"no", "open", "silent"}
    assert "nobody has checked" in texts["open"] and "it is not" in texts["no"]


def test_an_adapter_that_is_too_large_is_left_out() -> None:
    def ask(most: int) -> list[str]:
        answer = recommend_methods(
            MODEL, TASK, ARCHITECTURE, base_parameters=10**6, methods=[method("lora")], rules=(),
            estimator=TableEstimator({"lora": (GIB, 1)}), options=Options(max_adapter_bytes=most),
        )  # fmt: skip
        return [one.method for one in answer.candidates]

    # The table's adapters have ten parameters, four bytes each.
    assert ask(40) == ["lora"]
    assert ask(39) == []


def test_two_requests_that_contradict_each_other_are_both_named() -> None:
    with pytest.raises(UsageError, match=r"--require mergeable and --methods prompt contradict"):
        refuse_contradiction([able("prompt", mergeable=False)], Options(mergeable=True))  # type: ignore[list-item]
    both = [able("prompt", mergeable=False), able("lora", mergeable=True)]
    refuse_contradiction(both, Options(mergeable=True))  # type: ignore[arg-type]


def test_latency_counts_as_it_was_measured_and_unmeasured_is_no_zero() -> None:
    options = Options(max_latency_overhead=0.2)
    slow, free = able("slow", zero_inference_overhead=False), able("free", zero_inference_overhead=True)
    assert "nobody measured" in unmet(slow, options, {})[0].text  # type: ignore[arg-type]
    assert unmet(slow, options, {"slow": 0.1}) == ()  # type: ignore[arg-type]
    assert "30%" in unmet(slow, options, {"slow": 0.3})[0].text  # type: ignore[arg-type]
    assert unmet(free, options, {}) == ()  # type: ignore[arg-type]


def test_overheads_come_from_the_measured_speeds() -> None:
    from autopeft.catalog.load import load_catalog

    catalog = load_catalog()
    found = measured_overheads(catalog.evidence.values(), catalog.methods)
    assert found["ln-tuning"] == 0
    assert found["houlsby"] == pytest.approx(30371 / 16498 - 1)


def test_an_objective_is_a_name_or_weights() -> None:
    assert read_objective(None).priority is None
    assert read_objective(" Memory ").weights == PRESETS["memory"]
    weighted = read_objective("quality=2, memory=1")
    assert (weighted.priority, weighted.weights.quality, weighted.weights.memory) == ("quality", 2, 1)
    assert weighted.weights.speed == weighted.weights.size == 0
    assert read_objective({"size": 3}).weights.size == 3


@pytest.mark.parametrize(
    "text", ["qualty", "quality=much", "quality=0", "memory=-1", "quality,memory", "speed=nan", ""]
)
def test_an_objective_that_makes_no_sense_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_objective(text)
    assert refused.value.hint


def test_the_weight_of_size_decides_between_equals() -> None:
    class Sized(TableEstimator):
        def __call__(self, *arguments: object) -> object:  # type: ignore[override]
            from dataclasses import replace

            found = super().__call__(*arguments)  # type: ignore[arg-type]
            return replace(found, adapter_parameters=10 if found.method == "small" else 1000)

    def first(text: str) -> str:
        aim = read_objective(text)
        answer = recommend_methods(
            MODEL, TASK, ARCHITECTURE, base_parameters=10**6, methods=[method("large"), method("small")], rules=(),
            estimator=Sized({"large": (GIB, 1), "small": (2 * GIB, 1)}),  # type: ignore[arg-type]
            options=Options(weights=aim.weights, priority=aim.priority),
        )  # fmt: skip
        return answer.candidates[0].method

    assert first("size") == "small"
    assert first("memory") == "large"
