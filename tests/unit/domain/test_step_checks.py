from dataclasses import replace
from typing import Any

import pytest

from autopeft.domain.memory import StepShape
from autopeft.domain.methods import Capability, MethodSpec
from autopeft.domain.step_checks import refused_method, refused_shape


def _method(**capabilities: bool | None) -> MethodSpec:
    known = {name: Capability(value, "because of this") for name, value in capabilities.items()}
    return MethodSpec("some", "Some", "additive", "SOME", (), "", (), capabilities=known)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"upcast": "all"}, "not quantised"),
        ({"attention": "flash", "dtype": "float32"}, "float32"),
        ({"gpus": 2, "sharding": "fsdp", "quantization": "int8"}, "int8"),
        ({"optimizer": "lion"}, "'lion'"),
        ({"quantization": "fp4"}, "'fp4'"),
        ({"accumulation": 0}, "accumulation"),
        ({"gpus": -1}, "gpus"),
    ],
)
def test_steps_that_cannot_be_are_refused_in_one_line_with_a_hint(changes: dict[str, Any], says: str) -> None:
    refusal = refused_shape(replace(StepShape(), **changes))
    assert refusal is not None
    assert says in refusal.message
    assert "\n" not in refusal.message
    assert refusal.hint


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"quantization": "nf4-double", "upcast": "norms"},
        {"attention": "flash", "dtype": "float32", "autocast": "bfloat16"},
        {"gpus": 8, "sharding": "fsdp", "quantization": "nf4"},
        {"optimizer": "paged-adamw-8bit"},
    ],
)
def test_steps_that_can_be_are_not(changes: dict[str, Any]) -> None:
    assert refused_shape(replace(StepShape(), **changes)) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (False, "some cannot train on a quantised base: because of this"),
        (None, "whether some can train on a quantised base is open: because of this"),
    ],
)
def test_a_method_needs_to_be_known_to_train_on_a_quantised_base(value: bool | None, says: str) -> None:
    quantised = StepShape(quantization="nf4")
    refusal = refused_method(_method(quantized_base=value), quantised)
    assert refusal is not None
    assert says in refusal.message
    assert refused_method(_method(quantized_base=True), quantised) is None
    assert refused_method(_method(quantized_base=value), StepShape()) is None


def test_a_method_that_says_nothing_of_quantised_bases_was_not_checked() -> None:
    refusal = refused_method(_method(), StepShape(quantization="nf4"))
    assert refusal is not None
    assert "nobody has checked" in refusal.message


def test_only_a_method_known_not_to_recompute_is_refused_it() -> None:
    recomputed = StepShape(gradient_checkpointing=True)
    refusal = refused_method(_method(gradient_checkpointing=False), recomputed)
    assert refusal is not None
    assert "because of this" in refusal.message
    assert refused_method(_method(gradient_checkpointing=None), recomputed) is None


def test_a_recorded_configuration_is_taken_as_it_is() -> None:
    recorded = replace(_method(quantized_base=None), as_recorded="adapter_config.json")
    assert refused_method(recorded, StepShape(quantization="nf4")) is None


def test_float16_runs_under_autocast() -> None:
    assert StepShape(dtype="float16").autocast_dtype == "float16"
    assert StepShape(dtype="bfloat16").autocast_dtype is None
    assert StepShape(dtype="bfloat16", autocast="bfloat16").matrix_dtype == "bfloat16"
