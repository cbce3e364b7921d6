"""The one protocol by which a method takes part in training."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraModel
from torch import Tensor, nn

from autopeft.modeling.training_hooks import after_update, changing_buffers, loss_of, start_from_data

BATCH = {"x": torch.ones(2, 3)}


class Output:
    def __init__(self, loss: Tensor) -> None:
        self.loss = loss


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Output:
        return Output(self.linear(x).square().mean())


@pytest.fixture
def model() -> PeftModel:
    torch.manual_seed(0)
    return get_peft_model(Net(), LoraConfig(target_modules=["linear"], init_lora_weights=False))


def test_a_method_without_hooks_trains_on_the_models_own_loss(model: PeftModel) -> None:
    for plain in (model, Net()):
        assert torch.equal(loss_of(plain, BATCH), plain(**BATCH).loss)
        start_from_data(plain, [BATCH])
        after_update(plain, 1, 2)
        assert changing_buffers(plain) == {}


def test_an_own_loss_takes_the_place_of_the_models(model: PeftModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def training_loss(self: LoraModel, run: Callable[[], Any], batch: Mapping[str, Tensor]) -> Tensor:
        assert batch is BATCH
        return run().loss + 2 * run().loss

    monkeypatch.setattr(LoraModel, "training_loss", training_loss, raising=False)
    torch.testing.assert_close(loss_of(model, BATCH), 3 * model(**BATCH).loss)


def test_the_start_sees_the_rows_once_and_leaves_no_gradients(
    model: PeftModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def start(self: LoraModel, loss: Callable[[Any], Tensor], batches: Sequence[Any]) -> None:
        for batch in batches:
            loss(batch).backward()
            seen.append(float(loss(batch).detach()))

    monkeypatch.setattr(LoraModel, "start_from_data", start, raising=False)
    start_from_data(model, [BATCH, BATCH])
    start_from_data(model, [BATCH])
    assert len(seen) == 2
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_schedule_runs_without_gradient(model: PeftModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int, bool]] = []

    def after(self: LoraModel, step: int, total: int) -> None:
        seen.append((step, total, torch.is_grad_enabled()))

    monkeypatch.setattr(LoraModel, "after_update", after, raising=False)
    after_update(model, 3, 10)
    assert seen == [(3, 10, False)]
