"""Houlsby and BitFit compute what their papers say, against a naive reference."""

import pytest
import torch
from peft import get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.pytorch_utils import Conv1D

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.tuners.bitfit import BitFitConfig, BitFitLayer
from autopeft.tuners.houlsby import HoulsbyConfig, HoulsbyLayer

ACTIVATIONS = {"relu": torch.relu, "gelu": nn.functional.gelu, "silu": nn.functional.silu, "tanh": torch.tanh}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 8)
        self.norm = nn.LayerNorm(8)
        self.conv = Conv1D(5, 8)
        self.plain = nn.Linear(5, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.plain(self.conv(self.norm(self.inner(x))))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def randomise(model: nn.Module, part: str) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if part in name:
                parameter.normal_()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_houlsby_equals_the_formula(net: Net, name: str) -> None:
    inner = net.inner
    model = get_peft_model(net, HoulsbyConfig(bottleneck_size=3, non_linearity=name, target_modules=["inner"]))
    randomise(model, "houlsby_")
    layer = model.base_model.model.inner
    adapter = layer.houlsby_bottleneck["default"]
    x = torch.randn(2, 4, 6)
    y = inner(x)
    hidden = ACTIVATIONS[name](y @ adapter.down_weight.T + adapter.down_bias)
    expected = y + hidden @ adapter.up_weight.T + adapter.up_bias
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_bitfit_equals_a_shifted_bias(net: Net) -> None:
    x = torch.randn(3, 6)
    model = get_peft_model(net, BitFitConfig(target_modules=".*"))
    randomise(model, "bitfit_")
    adapted = model(x)
    reference = Net()
    reference.load_state_dict(
        {k.replace(".base_layer", ""): v for k, v in net.state_dict().items() if "bitfit" not in k}
    )
    with torch.no_grad():
        for name in ("inner", "norm", "conv"):
            getattr(reference, name).bias += getattr(net, name).bitfit_delta["default"]
    torch.testing.assert_close(adapted, reference(x), atol=1e-5, rtol=1e-5)
    assert not isinstance(net.plain, BitFitLayer), "a module without a bias is left alone"


@pytest.mark.parametrize("config", [HoulsbyConfig(target_modules=["inner"]), BitFitConfig(target_modules=["inner"])])
def test_start_is_the_base_and_disabling_gives_it_back(net: Net, config: object) -> None:
    x = torch.randn(3, 6)
    base = net(x)
    model = get_peft_model(net, config)
    assert torch.equal(model(x), base)
    randomise(model, "houlsby_")
    randomise(model, "bitfit_")
    assert not torch.allclose(model(x), base)
    with model.disable_adapter():
        assert torch.equal(model(x), base)
    assert torch.equal(model.unload()(x), base)


def test_all_adapter_parameters_get_a_gradient_after_one_step(net: Net) -> None:
    model = get_peft_model(net, HoulsbyConfig(bottleneck_size=3, non_linearity="gelu", target_modules=["inner"]))
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    x = torch.randn(3, 6)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    grads = {name: p.grad.abs().sum() for name, p in model.named_parameters() if p.requires_grad}
    assert len(grads) == 4 and all(value > 0 for value in grads.values())


def test_bitfit_merges_into_the_bias_without_touching_the_shared_parameter(net: Net) -> None:
    shared, x = net.inner.bias, torch.randn(3, 6)
    before = shared.detach().clone()
    model = get_peft_model(net, BitFitConfig(target_modules=["inner", "norm"]))
    randomise(model, "bitfit_")
    adapted = model(x)
    model.merge_adapter()
    torch.testing.assert_close(model(x), adapted, atol=1e-5, rtol=1e-5)
    model.unmerge_adapter()
    torch.testing.assert_close(model(x), adapted, atol=1e-5, rtol=1e-5)
    merged = model.merge_and_unload()
    torch.testing.assert_close(merged(x), adapted, atol=1e-5, rtol=1e-5)
    assert torch.equal(shared, before)
    assert isinstance(merged.inner, nn.Linear)


def test_safe_merge_refuses_nan(net: Net) -> None:
    model = get_peft_model(net, BitFitConfig(target_modules=["inner"]))
    with torch.no_grad():
        net.inner.bitfit_delta["default"][0] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        model.merge_and_unload(safe_merge=True)


def test_houlsby_refuses_to_merge(net: Net) -> None:
    model = get_peft_model(net, HoulsbyConfig(target_modules=["inner"]))
    with pytest.raises(ValueError, match="cannot be merged"):
        model.merge_and_unload()


@pytest.mark.parametrize(
    ("config", "layer_type"),
    [(HoulsbyConfig, HoulsbyLayer), (BitFitConfig, BitFitLayer)],
)
def test_second_adapter_is_apart_from_the_first(net: Net, config: type, layer_type: type) -> None:
    x = torch.randn(3, 6)
    base = net(x)
    model = get_peft_model(net, config(target_modules=["inner"]))
    randomise(model, ".default")
    model.add_adapter("other", config(target_modules=["inner"]))
    assert isinstance(net.inner, layer_type)
    first = model(x)
    model.set_adapter("other")
    assert torch.equal(model(x), base) and not torch.allclose(first, base)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all(".other" in name for name in trained)


@pytest.mark.parametrize("config", [HoulsbyConfig(target_modules=["inner"]), BitFitConfig(target_modules=["inner"])])
def test_half_precision_base_keeps_its_dtype_with_a_float32_adapter(net: Net, config: object) -> None:
    model = get_peft_model(net.bfloat16(), config)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert model(torch.randn(3, 6, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_bitfit_refuses_a_model_without_biases() -> None:
    config = LlamaConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=9)
    with pytest.raises(ValueError, match="bias"):
        get_peft_model(LlamaForCausalLM(config), BitFitConfig(target_modules=".*"))


@pytest.mark.parametrize("bad", [{"bottleneck_size": 0}, {"non_linearity": "wave", "target_modules": ["inner"]}])
def test_houlsby_refuses_nonsense(net: Net, bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        get_peft_model(net, HoulsbyConfig(**bad))
