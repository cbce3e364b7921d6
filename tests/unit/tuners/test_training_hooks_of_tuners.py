"""AdaMix, SparseAdapter, DiffPruning and LT-SFT: their formulas, extra losses, choices and schedules."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update, start_from_data
from autopeft.tuners.adamix import AdaMixConfig
from autopeft.tuners.adamix.model import divergence
from autopeft.tuners.diffpruning import DiffPruningConfig
from autopeft.tuners.ltsft import LtSftConfig
from autopeft.tuners.sparse_adapter import SparseAdapterConfig

WIDTH, CLASSES = 6, 3


class Output:
    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        self.logits, self.loss = logits, functional.cross_entropy(logits, labels)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor, labels: Tensor) -> Output:
        return Output(self.head(self.first(x)), labels)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def batch(seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.randn(4, WIDTH, generator=generator), "labels": torch.tensor([0, 1, 2, 0])}


def randomised(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in (p for p in model.parameters() if p.requires_grad):
            parameter.normal_()


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_adamix_uses_one_drawn_copy_in_training_and_the_mean_of_all_after(net: Net) -> None:
    model = get_peft_model(net, AdaMixConfig(bottleneck_size=2, copies=3, target_modules=["first"]))
    randomised(model)
    layer = net.first
    down, up, down_bias, up_bias = (getattr(layer, name)["default"] for name in layer.adapter_layer_names)
    x = torch.randn(5, WIDTH)
    y = layer.base_layer(x)

    def passed(i: int, j: int) -> Tensor:
        return y + functional.gelu(y @ down[i].T + down_bias[i]) @ up[j].T + up_bias[j]

    torch.manual_seed(4)
    first, second = torch.randint(3, (2,)).tolist()
    torch.manual_seed(4)
    close(layer.train()(x), passed(first, second))
    hidden = functional.gelu(y @ down.mean(0).T + down_bias.mean(0))
    close(layer.eval()(x), y + hidden @ up.mean(0).T + up_bias.mean(0))
    assert down.numel() + up.numel() + down_bias.numel() + up_bias.numel() == 3 * (2 * WIDTH * 2 + 2 + WIDTH)


def test_adamix_loss_is_two_passes_and_their_divergence(net: Net) -> None:
    model = get_peft_model(net, AdaMixConfig(bottleneck_size=2, consistency=0.7, target_modules=["first"])).train()
    randomised(model)
    torch.manual_seed(9)
    first, second = model(**batch()), model(**batch())
    p, q = first.logits.softmax(-1), second.logits.softmax(-1)
    apart = ((p * (p / q).log()).sum(-1) + (q * (q / p).log()).sum(-1)).mean() / 2
    torch.manual_seed(9)
    optimizer = build_optimizer(model, {"learning_rate": 0.1})
    loss = training_step(model, [batch()], optimizer)
    close(loss, ((first.loss + second.loss) / 2 + 0.7 * apart).detach())


def test_the_divergence_counts_labelled_tokens_alone() -> None:
    first, second = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    labels = torch.tensor([[-100, 1, 2], [-100, -100, 4]])
    kept = labels != -100
    close(divergence(first, second, labels), divergence(first[kept], second[kept], None))
    assert divergence(first, second, torch.full_like(labels, -100)) == 0


def test_sparse_adapter_is_a_bottleneck_of_two_sparse_matrices(net: Net) -> None:
    config = SparseAdapterConfig(bottleneck_size=4, density=0.25, target_modules=["first"])
    model = get_peft_model(net, config)
    randomised(model)
    layer = net.first
    down, up = torch.zeros(4 * WIDTH), torch.zeros(4 * WIDTH)
    down[layer.sparse_adapter_down_places["default"].long()] = layer.sparse_adapter_down["default"].detach()
    up[layer.sparse_adapter_up_places["default"].long()] = layer.sparse_adapter_up["default"].detach()
    x = torch.randn(5, WIDTH)
    y = layer.base_layer(x)
    hidden = torch.relu(y @ down.view(4, WIDTH).T + layer.sparse_adapter_down_bias["default"])
    close(layer(x), y + hidden @ up.view(WIDTH, 4).T + layer.sparse_adapter_up_bias["default"])
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 2 * 6 + 4 + WIDTH


def test_snip_keeps_what_the_loss_feels_most_and_starts_at_the_base(net: Net) -> None:
    config = SparseAdapterConfig(bottleneck_size=4, density=0.25, non_linearity="tanh", target_modules=["first"])
    torch.manual_seed(3)
    model = get_peft_model(net, config)
    base = model(**batch()).logits
    torch.manual_seed(5)
    start_from_data(model, [batch(1), batch(2)])
    torch.manual_seed(5)
    down = (torch.randn(4, WIDTH) * 0.01).requires_grad_()
    up = (torch.randn(WIDTH, 4) * 0.01).requires_grad_()
    for rows in (batch(1), batch(2)):
        y = net.first.base_layer(rows["x"])
        logits = net.head(y + torch.tanh(y @ down.T) @ up.T)
        functional.cross_entropy(logits, rows["labels"]).backward()
    for side, drawn in (("down", down), ("up", up)):
        scores = (drawn * drawn.grad).abs().flatten()
        kept = sorted(scores.argsort(descending=True)[:6].tolist())
        assert getattr(net.first, f"sparse_adapter_{side}_places")["default"].tolist() == kept
    places = net.first.sparse_adapter_down_places["default"].long()
    assert torch.equal(net.first.sparse_adapter_down["default"], down.detach().flatten()[places])
    assert torch.equal(model(**batch()).logits, base)


def test_magnitude_needs_no_rows(net: Net) -> None:
    model = get_peft_model(net, SparseAdapterConfig(criterion="magnitude", target_modules=["first"]))
    before = net.first.sparse_adapter_down_places["default"].clone()
    start_from_data(model, [batch()])
    assert torch.equal(net.first.sparse_adapter_down_places["default"], before)


@pytest.mark.parametrize("bad", [{"criterion": "taste"}, {"density": 0.0}, {"bottleneck_size": 0}])
def test_sparse_adapter_refuses_nonsense(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        SparseAdapterConfig(**bad)


def diff_pruned(net: Net, **fields: float) -> PeftModel:
    config = DiffPruningConfig(target_modules=["first"], **fields)
    return get_peft_model(net, config)


def test_diff_pruning_gates_are_the_papers(net: Net) -> None:
    model = diff_pruned(net)
    randomised(model)
    layer = net.first
    weight, gate = layer.diffpruning_w["default"], layer.diffpruning_gate["default"]
    x = torch.randn(5, WIDTH)
    y = layer.base_layer(x)
    torch.manual_seed(2)
    u = torch.rand(WIDTH, WIDTH)
    share = torch.sigmoid(torch.log(u / (1 - u)) + gate)
    z = torch.minimum(torch.ones(()), torch.maximum(torch.zeros(()), -1.5 + 3 * share))
    torch.manual_seed(2)
    close(layer.train()(x), y + x @ (z * weight).T)
    settled = (3 * torch.sigmoid(gate) - 1.5).clamp(0, 1)
    close(layer.eval()(x), y + x @ (settled * weight).T)
    assert 0 < (z == 0).sum() < z.numel()


def test_diff_pruning_draws_the_same_gates_again_in_the_backward_pass(net: Net) -> None:
    model = diff_pruned(net).train()
    randomised(model)
    torch.manual_seed(2)
    model(**batch()).loss.backward()
    got = net.first.diffpruning_w["default"].grad.clone()
    weight, gate = (net.first.get_parameter(f"diffpruning_{name}.default") for name in ("w", "gate"))
    torch.manual_seed(2)
    u = torch.rand(WIDTH, WIDTH)
    z = (3 * torch.sigmoid(torch.log(u / (1 - u)) + gate.detach()) - 1.5).clamp(0, 1)
    free = weight.detach().clone().requires_grad_()
    rows = batch()
    logits = net.head(net.first.base_layer(rows["x"]) + rows["x"] @ (z * free).T)
    functional.cross_entropy(logits, rows["labels"]).backward()
    close(got, free.grad)


def test_diff_pruning_pays_for_the_expected_count(net: Net) -> None:
    model = diff_pruned(net, sparsity_penalty=0.01).eval()
    randomised(model)
    expected = torch.sigmoid(net.first.diffpruning_gate["default"]).sum()
    loss = model.base_model.training_loss(lambda: model(**batch()), batch())
    close(loss, model(**batch()).loss + 0.01 * expected)


def test_diff_pruning_keeps_the_largest_differences_and_saves_them_alone(net: Net, tmp_path: Path) -> None:
    model = diff_pruned(net, density=0.2, prune_at=0.4)
    optimizer = build_optimizer(model, {"learning_rate": 0.05, "weight_decay": 0.0})
    for _ in range(3):
        training_step(model, [batch()], optimizer)
    before = net.first.eval().delta_weight("default").detach().clone()
    after_update(model, 3, 10)
    assert torch.equal(net.first.delta_weight("default"), before)
    after_update(model, 4, 10)
    kept = before.abs().flatten().argsort(descending=True)[:7]
    expected = torch.zeros(36).scatter(0, kept, before.flatten()[kept]).view(WIDTH, WIDTH)
    assert torch.equal(net.first.delta_weight("default"), expected)
    model.train()
    for _ in range(3):
        training_step(model, [batch()], optimizer)
    model.eval()
    assert (net.first.delta_weight("default") != 0).sum() == 7
    model.save_pretrained(str(tmp_path))
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert sorted(tensor.numel() for tensor in saved.values()) == [7, 7]
    torch.manual_seed(0)
    again = PeftModel.from_pretrained(Net(), str(tmp_path)).eval()
    assert torch.equal(again(**batch()).logits, model(**batch()).logits)


@pytest.mark.parametrize("bad", [{"prune_at": 1.0}, {"density": 2.0}, {"sparsity_penalty": -1.0}])
def test_diff_pruning_refuses_nonsense(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        DiffPruningConfig(**bad)


def test_lt_sft_trains_again_from_the_start_what_moved_the_most(net: Net, tmp_path: Path) -> None:
    model = get_peft_model(net, LtSftConfig(density=0.2, choose_at=0.3, target_modules=["first"]))
    optimizer = build_optimizer(model, {"learning_rate": 0.05, "weight_decay": 0.0})
    base = net.first.base_layer.weight.detach().clone()
    for _ in range(3):
        training_step(model, [batch()], optimizer)
    moved = net.first.ltsft_w["default"].detach().clone()
    assert (moved != 0).all()
    x = torch.randn(5, WIDTH)
    close(net.first(x), x @ (base + moved).T + net.first.base_layer.bias)
    after_update(model, 3, 10)
    assert (net.first.delta_weight("default") == 0).all()
    chosen = sorted(moved.abs().flatten().argsort(descending=True)[:7].tolist())
    assert net.first.ltsft_kept["default"].flatten().nonzero().flatten().tolist() == chosen
    for _ in range(3):
        training_step(model, [batch()], optimizer)
    assert net.first.delta_weight("default").flatten().nonzero().flatten().tolist() == chosen
    model.eval().save_pretrained(str(tmp_path))
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert sorted(tensor.numel() for tensor in saved.values()) == [7, 7]
    torch.manual_seed(0)
    again = PeftModel.from_pretrained(Net(), str(tmp_path)).eval()
    assert torch.equal(again(**batch()).logits, model(**batch()).logits)


@pytest.mark.parametrize("bad", [{"choose_at": 0.0}, {"density": 0.0}])
def test_lt_sft_refuses_nonsense(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        LtSftConfig(**bad)
