from dataclasses import replace
from typing import Any

import pytest

from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.errors import ModelError
from autopeft.memory.estimate import TracingEstimator
from autopeft.memory.pricing import Pricing, price

SHAPE = StepShape(batch_size=4, max_length=64, target_length=32, dtype="bfloat16")


def _estimate(pricing: Pricing, **options: Any) -> MemoryEstimate:
    return price(replace(pricing, **options))


@pytest.mark.parametrize(("kind", "method"), [("llama", "dora"), ("bert", "bitfit"), ("t5", "ia3")])
def test_the_estimate_adds_up(tiny: Any, kind: str, method: str) -> None:
    found = _estimate(tiny.pricing(kind, method))
    parts = dict(found.components_bytes)
    overhead = parts.pop("allocator_overhead")
    assert tuple(parts) == COMPONENTS
    assert sum(parts.values()) == found.peak_bytes
    assert found.peak_bytes + overhead == found.reserved_bytes
    assert overhead >= 0
    assert min(parts.values()) >= 0
    assert 0 < found.adapter_parameters <= found.trainable_parameters < found.total_parameters
    assert found.step_flops > 0


def test_weights_of_a_base_are_counted_to_the_byte(tiny: Any) -> None:
    found = _estimate(tiny.pricing("llama", "lora", replace(SHAPE, dtype="float32")), device="cpu")
    base = found.total_parameters - found.trainable_parameters
    inv_freq_bytes = 2 * 4 * 4  # the rotary embedding keeps two buffers of head_dim / 2
    assert found.components_bytes["weights"] == 4 * base + inv_freq_bytes
    assert found.components_bytes["adapter"] == 4 * found.trainable_parameters


def test_full_fine_tuning_pays_for_gradients_and_optimizer(tiny: Any) -> None:
    # Weights alone decide with one token: two Adam moments of the weights' size beside weights and gradients.
    found = _estimate(tiny.pricing("bert", "full", replace(SHAPE, batch_size=1, max_length=8)), device="cpu")
    assert found.peak_phase == "optimizer"
    weights = 2 * found.total_parameters
    assert found.components_bytes["gradients"] == weights
    assert found.components_bytes["optimizer"] >= 2 * weights


def test_padding_and_checkpointing_change_memory_as_they_should(tiny: Any) -> None:
    plain = _estimate(tiny.pricing("llama", "lora"))
    padded = _estimate(tiny.pricing("llama", "lora"), padded=True)
    recomputed = _estimate(tiny.pricing("llama", "lora", replace(SHAPE, gradient_checkpointing=True)))
    assert padded.peak_bytes > plain.peak_bytes
    assert recomputed.components_bytes["activations"] < plain.components_bytes["activations"]
    assert recomputed.step_flops > plain.step_flops


def test_logits_in_float32_are_seen(tiny: Any) -> None:
    found = _estimate(tiny.pricing("llama", "lora"))
    one_float32_copy = 4 * 64 * 512 * 4
    assert found.components_bytes["logits"] >= 2 * one_float32_copy


def test_what_cannot_be_traced_says_why(tiny: Any) -> None:
    with pytest.raises(ModelError, match="bitfit"):
        _estimate(tiny.pricing("llama", "bitfit"))


def test_the_estimator_is_what_recommend_is_handed(tiny: Any) -> None:
    pricing = tiny.pricing("bert", "lora")
    estimator = TracingEstimator(tiny.catalog, cache=False)
    found = estimator(pricing.model, pricing.task, pricing.method, pricing.hyperparameters, pricing.shape)
    assert found == _estimate(pricing)
    with pytest.raises(ModelError, match="not supported"):
        estimator(
            replace(pricing.model, config={"model_type": "unheard-of"}),
            pricing.task,
            pricing.method,
            pricing.hyperparameters,
            pricing.shape,
        )
