"""FishMask, SAM, FAR and SaRA choose the entries that their papers name, train them alone and save which."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.modeling.adapter_files import load_trainable_state, trainable_state
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update, start_from_data
from autopeft.tuners.far import FarConfig
from autopeft.tuners.fishmask import FishMaskConfig
from autopeft.tuners.sam import SamConfig
from autopeft.tuners.sara import SaraConfig
from autopeft.tuners.sparse_entries import dense_matrix, largest_entries

WIDTH, INNER = 6, 8


class Output:
    def __init__(self, loss: Tensor) -> None:
        self.loss = loss


class Net(nn.Module):
    """A linear layer and a Conv1D, with a squared error as its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, INNER)
        self.second = Conv1D(1, INNER)

    def forward(self, x: Tensor, labels: Tensor) -> Output:
        predicted = self.second(torch.tanh(self.first(x)))
        return Output((predicted.squeeze(-1) - labels).square().mean())


TARGETS = ["first", "second"]
GRADIENT = [
    FishMaskConfig(density=0.2, groups=4, target_modules=TARGETS),
    SamConfig(density=0.2, target_modules=TARGETS),
    FarConfig(density=0.4, target_modules=TARGETS),
]
ALL = [*GRADIENT, SaraConfig(density=0.2, target_modules=TARGETS)]


def name_of(config: object) -> str:
    return type(config).type_name.lower()


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def batch(seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.randn(4, WIDTH, generator=generator), "labels": torch.randn(4, generator=generator)}


def gradients(groups: list[dict[str, Tensor]]) -> list[Tensor]:
    """Of the first weight, for each group of rows."""
    torch.manual_seed(0)
    plain, found = Net(), []
    for group in groups:
        plain.zero_grad()
        plain(**group).loss.backward()
        found.append(plain.first.weight.grad.clone())
    return found


def largest(scores: Tensor, count: int) -> list[int]:
    return sorted(scores.flatten().argsort(descending=True)[:count].tolist())


def expected_places(config: object) -> list[int]:
    batches = [batch(1), batch(2)]
    if isinstance(config, FishMaskConfig):
        rows = [slice(0, 2), slice(2, 4)]
        halves = [{name: tensor[half] for name, tensor in b.items()} for b in batches for half in rows]
        return largest(sum(gradient.square() for gradient in gradients(halves)), 10)
    total = sum(gradients(batches))
    if isinstance(config, SamConfig):
        return largest(total.square(), 10)
    return largest(total.abs().sum(dim=1), 3)


@pytest.mark.parametrize("config", GRADIENT, ids=name_of)
def test_the_entries_with_the_largest_scores_are_chosen_once(net: Net, config: object) -> None:
    model = get_peft_model(net, config)
    start_from_data(model, [batch(1), batch(2)])
    places = net.first.changing_buffers[0]
    chosen = getattr(net.first, places)["default"].tolist()
    assert chosen == expected_places(config) and chosen != list(range(len(chosen)))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not net.first.base_layer.weight.requires_grad
    start_from_data(model, [batch(5)])
    assert getattr(net.first, places)["default"].tolist() == chosen


def test_sara_takes_the_smallest_entries_of_each_weight(net: Net) -> None:
    first, second = net.first.weight.detach().clone(), net.second.weight.detach().T.clone()
    get_peft_model(net, ALL[-1])
    assert net.first.sara_places["default"].tolist() == largest(-first.abs(), 10)
    assert net.second.sara_places["default"].tolist() == largest(-second.abs(), 2)


@pytest.mark.parametrize("config", ALL, ids=name_of)
def test_the_forward_is_that_of_the_changed_weight(net: Net, config: object) -> None:
    model = get_peft_model(net, config)
    start_from_data(model, [batch(1), batch(2)])
    with torch.no_grad():
        for parameter in (p for p in model.parameters() if p.requires_grad):
            parameter.normal_()
    for layer in (net.first, net.second):
        weight = layer.base_weight().clone(memory_format=torch.contiguous_format)
        values = getattr(layer, layer.values_name)["default"]
        places = getattr(layer, layer.places_name)["default"].long()
        if isinstance(config, FarConfig):
            weight[places] += values
        else:
            weight.view(-1)[places] += values
        x = torch.randn(3, weight.shape[1])
        torch.testing.assert_close(layer(x), x @ weight.T + layer.base_layer.bias, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(layer.base_weight() + layer.delta_weight("default"), weight, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("config", ALL, ids=name_of)
def test_a_step_trains_the_chosen_entries_alone_and_all_of_them(net: Net, config: object) -> None:
    model = get_peft_model(net, config)
    optimizer = build_optimizer(model, {"learning_rate": 0.1})
    before = net.first.base_layer.weight.detach().clone()
    losses = [float(training_step(model, [batch(1), batch(2)], optimizer)) for _ in range(8)]
    assert losses[-1] < losses[0]
    assert torch.equal(net.first.base_layer.weight, before)
    values = getattr(net.first, net.first.values_name)["default"]
    assert (values != 0).all()
    changed = net.first.delta_weight("default").detach() != 0
    assert changed.sum() == values.numel()


@pytest.mark.parametrize("config", ALL, ids=name_of)
def test_the_choice_is_saved_with_the_adapter_and_with_a_checkpoint(net: Net, config: object, tmp_path: Path) -> None:
    model = get_peft_model(net, config)
    optimizer = build_optimizer(model, {"learning_rate": 0.1})
    for _ in range(2):
        training_step(model, [batch(1)], optimizer)
    model.save_pretrained(str(tmp_path))
    assert [path.suffix for path in tmp_path.iterdir() if "adapter_model" in path.name] == [".safetensors"]
    torch.manual_seed(0)
    again = PeftModel.from_pretrained(Net(), str(tmp_path))
    delta = net.first.delta_weight("default")
    assert torch.equal(again.base_model.model.first.delta_weight("default"), delta)
    torch.manual_seed(0)
    resumed = get_peft_model(Net(), type(config)(**_fields(config)))
    load_trainable_state(resumed, trainable_state(model))
    start_from_data(resumed, [batch(7)])
    assert torch.equal(resumed.base_model.model.first.delta_weight("default"), delta)


def _fields(config: object) -> dict[str, object]:
    own = {"density": config.density, "target_modules": TARGETS}
    return own | ({"groups": 4} if isinstance(config, FishMaskConfig) else {})


def test_saras_penalty_is_the_nuclear_norm_of_the_masked_weights(net: Net) -> None:
    model = get_peft_model(net, SaraConfig(density=0.3, rank_penalty=0.5, target_modules=["first"]))
    with torch.no_grad():
        net.first.sara_values["default"].normal_()
    mask = dense_matrix(torch.ones(14), net.first.sara_places["default"], (INNER, WIDTH))
    masked = (net.first.base_layer.weight + net.first.delta_weight("default")) * mask
    nuclear = torch.linalg.svd(masked).S.sum()
    plain = model(**batch()).loss
    loss = model.base_model.training_loss(lambda: model(**batch()), batch())
    torch.testing.assert_close(loss, plain + 0.5 * nuclear, atol=1e-5, rtol=1e-5)


def test_sara_goes_on_with_what_is_still_small_after_half_of_the_training(net: Net) -> None:
    model = get_peft_model(net, SaraConfig(density=0.3, rank_penalty=0.0, target_modules=["first"]))
    values = net.first.sara_values["default"]
    with torch.no_grad():
        values[:5] = 10.0
    after_update(model, 4, 10)
    assert net.first.sara_small["default"].all()
    after_update(model, 5, 10)
    assert net.first.sara_small["default"].tolist() == [False] * 5 + [True] * 9
    model(**batch()).loss.backward()
    assert (values.grad[:5] == 0).all() and (values.grad[5:] != 0).all()


def test_a_quantised_weight_is_refused(net: Net) -> None:
    model = get_peft_model(net, SamConfig(target_modules=["first"]))
    net.first.base_layer.weight = nn.Parameter(torch.zeros(INNER, WIDTH, dtype=torch.int8), requires_grad=False)
    with pytest.raises(ValueError, match="quantised"):
        start_from_data(model, [batch()])


def test_places_rise_and_stand_for_the_largest() -> None:
    scores = torch.tensor([[1.0, 5.0, 3.0], [4.0, 0.0, 2.0]])
    assert largest_entries(scores, 3).tolist() == [1, 2, 3]
    dense = dense_matrix(torch.tensor([7.0, 8.0, 9.0]), largest_entries(scores, 3), (2, 3))
    assert dense.tolist() == [[0, 7, 8], [9, 0, 0]]


@pytest.mark.parametrize("density", [0.0, 1.5, -1.0])
@pytest.mark.parametrize("config", ALL, ids=name_of)
def test_a_share_that_is_none_is_refused(config: object, density: float) -> None:
    with pytest.raises(ValueError, match="density"):
        type(config)(density=density)
