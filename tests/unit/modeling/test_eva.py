"""EVA's start: the input factors span what the first rows' inputs vary along, and nothing else changes."""

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from autopeft.modeling.eva import principal_directions, start_from_inputs, starts_from_inputs


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(12, 6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.relu(self.a(x)))


def test_the_factors_are_the_principal_directions_of_the_inputs() -> None:
    torch.manual_seed(0)
    rows = torch.randn(40, 12) * torch.tensor([9.0, 5.0, 3.0, *[0.1] * 9]) + 4
    model = get_peft_model(Net(), LoraConfig(r=3, target_modules=["a", "b"], init_lora_weights="eva")).eval()
    assert starts_from_inputs(model.base_model)
    before = model(rows)
    start_from_inputs(model.base_model, lambda batch: model(batch["x"]).sum(), [{"x": rows}, {"x": rows * 0}])
    assert torch.equal(model(rows), before)
    factor = model.base_model.model.a.lora_A["default"].weight
    torch.testing.assert_close(factor @ factor.T, torch.eye(3), atol=1e-5, rtol=0)
    # What the three directions explain is what the three largest variances are.
    centred = rows - rows.mean(0)
    explained = (centred @ factor.T).square().sum()
    best = torch.linalg.svdvals(centred)[:3].square().sum()
    torch.testing.assert_close(explained, best, rtol=1e-5, atol=0)


def test_where_there_are_fewer_directions_than_the_rank_the_rest_stays() -> None:
    fallback = torch.full((4, 6), 7.0)
    found = principal_directions(torch.eye(6)[:2], fallback)
    assert found.shape == (4, 6)
    assert torch.equal(found[2:], fallback[2:])


def test_plain_lora_does_not_start_from_inputs() -> None:
    assert not starts_from_inputs(get_peft_model(Net(), LoraConfig(target_modules=["a"])).base_model)
    assert not starts_from_inputs(None)
