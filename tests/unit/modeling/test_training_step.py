"""The one training step, its optimizer, and the state of what trains."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from autopeft.catalog.contents import Catalog
from autopeft.errors import ModelError, UsageError
from autopeft.modeling.adapter_files import load_adapter, load_trainable_state, save_adapter, trainable_state
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import load_base
from autopeft.modeling.source import read_model
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.wrap import wrap


class Output:
    def __init__(self, loss: Tensor) -> None:
        self.loss = loss


class Line(nn.Module):
    """loss = mean((w x)^2); also keeps the dtype that its product ran in."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 2.0]]))
        self.frozen = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, x: Tensor) -> Output:
        product = x @ self.weight.T
        self.seen = product.dtype
        return Output(product.float().square().mean())


X = torch.tensor([[1.0, 0.5], [2.0, -1.0], [0.5, 0.0], [-1.0, 3.0]])


def test_optimizer_takes_what_trains_and_its_settings() -> None:
    model = Line()
    optimizer = build_optimizer(model, {"learning_rate": 0.5, "weight_decay": 0.25})
    (group,) = optimizer.param_groups
    assert group["params"] == [model.weight]
    assert (group["lr"], group["weight_decay"], group["foreach"]) == (0.5, 0.25, True)
    assert build_optimizer(model, {"learning_rate": 1}).param_groups[0]["weight_decay"] == 0.01


@pytest.mark.parametrize("given", [{}, {"learning_rate": "fast"}, {"learning_rate": True}])
def test_optimizer_wants_a_learning_rate(given: dict) -> None:
    with pytest.raises(UsageError, match="learning_rate"):
        build_optimizer(Line(), given)


def test_step_equals_plain_adamw() -> None:
    model, reference = Line(), Line()
    optimizer = build_optimizer(model, {"learning_rate": 0.1})
    plain = torch.optim.AdamW([reference.weight], lr=0.1, weight_decay=0.01)
    for _ in range(3):
        loss = training_step(model, [{"x": X}], optimizer)
        plain.zero_grad()
        expected = reference(X).loss
        expected.backward()
        plain.step()
        torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(model.weight, reference.weight)
    assert not loss.requires_grad


def test_micro_batches_give_the_gradient_of_the_whole() -> None:
    whole, parts = Line(), Line()
    first = training_step(whole, [{"x": X}], build_optimizer(whole, {"learning_rate": 0.1}))
    second = training_step(parts, [{"x": X[:2]}, {"x": X[2:]}], build_optimizer(parts, {"learning_rate": 0.1}))
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(whole.weight.grad, parts.weight.grad)


def test_gradients_are_clipped_and_backward_can_be_replaced() -> None:
    model, calls = Line(), []

    def backward(loss: Tensor) -> None:
        calls.append(loss)
        loss.backward()

    optimizer = build_optimizer(model, {"learning_rate": 0.1})
    training_step(model, [{"x": X}], optimizer, backward=backward, max_grad_norm=0.5)
    assert len(calls) == 1
    torch.testing.assert_close(model.weight.grad.norm(), torch.tensor(0.5), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("autocast", "dtype"), [(None, torch.float32), (torch.bfloat16, torch.bfloat16)])
def test_autocast(autocast: torch.dtype | None, dtype: torch.dtype) -> None:
    model = Line()
    training_step(model, [{"x": X}], build_optimizer(model, {"learning_rate": 0.1}), autocast=autocast)
    assert model.seen == dtype and model.weight.dtype == torch.float32


def test_step_runs_on_meta() -> None:
    model = Line().to("meta")
    loss = training_step(model, [{"x": X.to("meta")}], build_optimizer(model, {"learning_rate": 0.1}))
    assert loss.device.type == "meta"


@pytest.fixture
def adapted(tiny_folders: dict[str, Path], catalog: Catalog):
    """Makes a model of the tiny BERT with a method; the seed decides its values."""

    def make(method_id: str, seed: int, **knobs: object) -> nn.Module:
        model, task = read_model(str(tiny_folders["bert"]), catalog), catalog.tasks["sequence-classification"]
        method = catalog.methods[method_id]
        architecture = architecture_of(model.config, catalog)
        return wrap(load_base(model, task, 2), method, method.start(10_000) | knobs, task, architecture, head_seed=seed)

    return make


@pytest.mark.parametrize("method_id", ["lora", "head-only", "full"])
def test_trainable_state_round_trip(method_id: str, adapted) -> None:
    source, target = adapted(method_id, 1), adapted(method_id, 2)
    state = trainable_state(source)
    assert set(state) == {name for name, p in source.named_parameters() if p.requires_grad}
    kept = {name: value.clone() for name, value in state.items()}
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(1)
    assert all(torch.equal(state[name], kept[name]) for name in state), "the state is a copy"
    load_trainable_state(target, state)
    assert all(torch.equal(value, state[name]) for name, value in trainable_state(target).items())


def test_state_of_another_model_is_refused_and_nothing_changes(adapted) -> None:
    target = adapted("lora", 2, r=4)
    before = trainable_state(target)
    missing = dict(before)
    missing.popitem()
    for state in (missing, before | {"more": torch.zeros(1)}, trainable_state(adapted("lora", 1, r=8))):
        with pytest.raises(ModelError, match="does not fit"):
            load_trainable_state(target, state)
    assert all(torch.equal(value, before[name]) for name, value in trainable_state(target).items())


def test_saved_folder_is_a_normal_one(adapted, tmp_path: Path) -> None:
    save_adapter(adapted("lora", 1), tmp_path / "adapter")
    save_adapter(adapted("full", 1), tmp_path / "full")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {p.name for p in (tmp_path / "adapter").iterdir()}
    assert {"config.json", "model.safetensors"} <= {p.name for p in (tmp_path / "full").iterdir()}
    assert not [p for p in tmp_path.rglob("*") if p.suffix in {".bin", ".pt", ".pkl"}]
    text = (tmp_path / "adapter" / "adapter_config.json").read_text()
    assert text.count('"classifier"') == 1, "each saved module is named once"


def test_loading_refuses_what_is_no_adapter(
    adapted, tmp_path: Path, tiny_folders: dict[str, Path], catalog: Catalog
) -> None:
    task = catalog.tasks["sequence-classification"]
    bert = read_model(str(tiny_folders["bert"]), catalog)
    with pytest.raises(ModelError, match="neither an adapter nor a model"):
        load_adapter(bert, tmp_path, task, 2)
    save_adapter(adapted("lora", 1), tmp_path)
    with pytest.raises(ModelError, match="does not fit"):
        load_adapter(bert, tmp_path, task, 5)
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load_adapter(bert, tmp_path, task, 2)
