"""S4 computes what its docstrings say in each of its four groups, and spends alike on every layer."""

from collections.abc import Callable

import pytest
import torch
from test_prefix_references import (
    ATTENTION,
    FFN_OUT,
    KEYS,
    QUERIES_AND_VALUES,
    SIZES,
    by_name,
    close,
    outputs,
    put_reference,  # noqa: F401 - a fixture
    randomised,
    small_model,
)
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from autopeft.tuners.s4 import S4Config
from autopeft.tuners.s4.model import group_at


def s4(**options: object) -> S4Config:
    fields = {"lora_modules": QUERIES_AND_VALUES, "prefix_modules": KEYS, "width": 8, "lora_alpha": 6}
    return S4Config(target_modules=rf"{ATTENTION}|{FFN_OUT}", **(fields | options))


def four_layers() -> nn.Module:
    torch.manual_seed(0)
    sizes = SIZES | {"num_hidden_layers": 4}
    config = AutoConfig.for_model("llama", **sizes, num_key_value_heads=4, pad_token_id=0, eos_token_id=1)
    return AutoModelForCausalLM.from_config(config).eval()


def part(site: nn.Module, container: str) -> object:
    held = getattr(site, container, None)
    return dict(held.items()).get("default") if held is not None else None


@pytest.mark.parametrize("family", ["llama", "bert", "t5"])
def test_each_part_is_its_formula(family: str, put_reference: Callable) -> None:  # noqa: F811
    base = four_layers() if family == "llama" else small_model(family)
    wrapped = randomised(base, s4(), 0.3)
    actual = outputs(wrapped, family, True)
    for name, site in {**by_name(wrapped, "S4ProjectionLayer"), **by_name(wrapped, "S4OutputLayer")}.items():

        def changed(_module, args, output, site=site):
            if (bias := part(site, "s4_bias")) is not None:
                output = output + bias
            if (down := part(site, "s4_a")) is not None:
                output = output + 6 / 2 * args[0] @ down.T @ part(site, "s4_b").T
            if (adapter := part(site, "s4_bottleneck")) is not None:
                hidden = torch.relu(output @ adapter.down_weight.T + adapter.down_bias)
                output = output + hidden @ adapter.up_weight.T + adapter.up_bias
            return output

        base.get_submodule(name).register_forward_hook(changed)
    put_reference(base, wrapped, "PrefixLayer", {})
    close(actual, outputs(base, family, True))


def test_every_layer_spends_alike_up_to_its_biases() -> None:
    wrapped, d, width = randomised(four_layers(), s4()), SIZES["hidden_size"], 8
    trained = {name: p.numel() for name, p in wrapped.named_parameters() if p.requires_grad}
    for layer, biases in enumerate((d + width // 2, d + width // 2, 4 * d + width // 2, 3 * d)):
        own = sum(count for name, count in trained.items() if f".layers.{layer}." in name)
        assert own - biases == 2 * width * d


def test_twelve_layers_are_a_spindle() -> None:
    groups = [group_at((layer + 0.5) / 12) for layer in range(12)]
    assert groups == [0] * 2 + [1] * 4 + [2] * 4 + [3] * 2
