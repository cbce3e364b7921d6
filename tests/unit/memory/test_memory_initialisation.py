"""Starting values that are worked out from the weights are priced as they would be on real ones."""

from typing import Any

import pytest
import torch
from torch import nn

from autopeft.domain.memory import StepShape
from autopeft.memory.initialisation import trace_initialisation, works_out_values
from autopeft.memory.pricing import Pricing, price
from autopeft.memory.stream import find_peak
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.wrap import wrap

SHAPE = StepShape(batch_size=4, max_length=64, dtype="float32")
WORKED_OUT = ("pissa", "olora")


def on_real_weights(pricing: Pricing) -> int:
    """The peak while the method is put on a base with real tensors, which nobody shares."""
    base = build_on_meta(pricing.model, pricing.task, pricing.shape).to_empty(device="cpu")
    base.tie_weights()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in base.parameters():
            nn.init.normal_(parameter, std=0.1)
    asked = pricing.method, pricing.hyperparameters, pricing.task, pricing.architecture
    stream = trace_initialisation(base, lambda: wrap(base, *asked, shares_base=False))
    assert stream is not None
    return find_peak(stream, int).peak_bytes


@pytest.mark.parametrize("method", WORKED_OUT)
def test_on_meta_it_takes_what_it_takes_on_real_weights(tiny: Any, method: str) -> None:
    pricing = tiny.pricing("llama", method, SHAPE)
    traced = pricing.initialisation()
    assert traced is not None
    assert find_peak(traced, int).peak_bytes == on_real_weights(pricing)


def test_it_is_a_phase_of_the_estimate(tiny: Any) -> None:
    phases = price(tiny.pricing("llama", "pissa", SHAPE)).phase_peak_bytes
    assert phases["initialisation"] > phases["load"]


def test_what_a_method_leaves_out_on_meta_is_said_to_be_missing(tiny: Any) -> None:
    estimate = price(tiny.pricing("llama", "mica"))
    assert "initialisation" not in estimate.phase_peak_bytes
    assert any("initial values" in said and "left out" in said for said in estimate.assumptions)


def test_methods_that_start_from_draws_have_no_such_phase(tiny: Any) -> None:
    assert not works_out_values(tiny.catalog.method("lora"))
    assert "initialisation" not in price(tiny.pricing("llama", "lora")).phase_peak_bytes
