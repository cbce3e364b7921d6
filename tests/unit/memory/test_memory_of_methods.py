"""What a method does beyond its forward pass costs memory, and the trace of the one training step sees it."""

from dataclasses import replace
from typing import Any

import pytest

from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.memory.pricing import price

SHAPE = StepShape(batch_size=8, max_length=64, target_length=32, dtype="float32")


def priced(tiny: Any, kind: str, method: str) -> MemoryEstimate:
    return price(tiny.pricing(kind, method, SHAPE))


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_ladder_side_tuning_keeps_no_activations_of_the_backbone(tiny: Any, kind: str) -> None:
    ladder, lora = priced(tiny, kind, "lst"), priced(tiny, kind, "lora")
    assert ladder.step_flops < lora.step_flops
    assert ladder.phase_peak_bytes["backward"] < lora.phase_peak_bytes["backward"]
    assert ladder.components_bytes["activations"] < 0.6 * lora.components_bytes["activations"]


def test_the_second_pass_of_adamix_is_paid_for(tiny: Any) -> None:
    mixed, single = priced(tiny, "bert", "adamix"), priced(tiny, "bert", "houlsby")
    assert mixed.components_bytes["activations"] > 1.5 * single.components_bytes["activations"]
    assert mixed.step_flops > 1.5 * single.step_flops


def test_the_choice_from_gradients_is_paid_for(tiny: Any) -> None:
    # The scores of all targeted weights live at once, in float32, when the last gradient is made.
    few_tokens = replace(SHAPE, batch_size=1, max_length=8)
    # On a CPU there is no library workspace, which would be larger than all weights of so small a model.
    chosen, given = (
        price(replace(tiny.pricing("bert", method, few_tokens), device="cpu")) for method in ("sam", "ssl")
    )
    more = chosen.phase_peak_bytes["forward"] - given.phase_peak_bytes["forward"]
    assert more > 0.3 * chosen.components_bytes["weights"]
