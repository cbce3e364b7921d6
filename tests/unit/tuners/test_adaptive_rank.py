"""AdaLoRA scores triplets as peft's own allocator does, cuts to the budget, and computes what the paper says."""

import pytest
import torch
from peft import get_peft_model
from peft.tuners.adalora import AdaLoraConfig
from peft.tuners.adalora.layer import RankAllocator
from torch import nn

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.tuners.adaptive_rank import AdaptiveRankConfig, AdaptiveRankLayer

IN, OUT, TOTAL = 7, 5, 40


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(IN, OUT), nn.Linear(OUT, IN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.tanh(self.a(x)))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    made = get_peft_model(Net(), AdaptiveRankConfig(target_modules=["a", "b"], r=2, orthogonality=0.3))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "adaptive_rank_" in name:
                parameter.normal_()
    return made


def layers_of(model: nn.Module) -> list[AdaptiveRankLayer]:
    return [module for module in model.modules() if isinstance(module, AdaptiveRankLayer)]


def test_forward_is_the_scaled_decomposition(model: nn.Module) -> None:
    layer, x = layers_of(model)[0], torch.randn(4, IN)
    p, e, q = (getattr(layer, name)["default"] for name in layer.adapter_layer_names)
    assert (p.shape, e.shape, q.shape) == ((OUT, 3), (3,), (3, IN))  # 1.5 times r at the start
    expected = layer.base_layer(x) + x @ (16 / 3 * p @ torch.diag(e) @ q).T
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_penalty_is_that_of_the_authors(model: nn.Module) -> None:
    norms = []
    for layer in layers_of(model):
        p, q = layer.adaptive_rank_P["default"], layer.adaptive_rank_Q["default"]
        norms += [torch.linalg.matrix_norm(p.T @ p - torch.eye(3)), torch.linalg.matrix_norm(q @ q.T - torch.eye(3))]

    class Output:
        loss = torch.tensor(1.0)

    found = model.base_model.training_loss(Output, {})
    torch.testing.assert_close(found, 1 + 0.3 * sum(norms) / 4)


def test_triplets_are_scored_as_by_peft(model: nn.Module) -> None:
    """The same values and gradients for five steps, in peft's allocator and here."""
    twin = nn.Module()
    for number, layer in enumerate(layers_of(model)):
        p, e, q = (getattr(layer, name)["default"] for name in layer.adapter_layer_names)
        holder = nn.Module()
        holder.lora_A = nn.ParameterDict({"default": q.detach().clone()})
        holder.lora_E = nn.ParameterDict({"default": e.detach().clone()[:, None]})
        holder.lora_B = nn.ParameterDict({"default": p.detach().clone()})
        twin.add_module(f"l{number}", holder)
    config = AdaLoraConfig(target_r=2, init_r=3, tinit=0, tfinal=0, total_step=TOTAL, target_modules=["a"])
    allocator = RankAllocator(twin, config, "default")
    for step in range(5):
        torch.manual_seed(step)
        for layer, holder in zip(layers_of(model), twin.children(), strict=True):
            for name, other in (("P", "lora_B"), ("e", "lora_E"), ("Q", "lora_A")):
                parameter = getattr(layer, f"adaptive_rank_{name}")["default"]
                parameter.grad = torch.randn_like(parameter)
                held = getattr(holder, other)["default"]
                held.grad = parameter.grad.clone().view_as(held)
            layer.note_gradients("default", 0.85)
        allocator.update_ipt(twin)
    pattern = allocator.mask_to_budget(twin, budget=4)
    model.base_model._hand_out(layers_of(model), "default", 2.0)
    for number, layer in enumerate(layers_of(model)):
        assert layer.kept["default"].tolist() == pattern[f"l{number}.lora_E.default"]


def test_the_budget_falls_to_r_and_what_is_cut_stays_cut(model: nn.Module) -> None:
    config = model.peft_config["default"]
    budgets = [config.budget(step, TOTAL) for step in range(TOTAL + 1)]
    assert budgets[:5] == [3.0] * 5 and budgets == sorted(budgets, reverse=True) and budgets[20:] == [2.0] * 21
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    left = []
    for step in range(1, TOTAL + 1):
        optimizer.zero_grad()
        model(torch.randn(8, IN)).square().mean().backward()
        optimizer.step()
        with torch.no_grad():
            model.base_model.after_update(step, TOTAL)
        left.append(sum(int((layer.adaptive_rank_e["default"] != 0).sum()) for layer in layers_of(model)))
    assert left[0] == 6 and set(left[20:]) == {4}
