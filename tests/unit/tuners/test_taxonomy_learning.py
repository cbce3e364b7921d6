"""The taxonomy's other methods learn at their starting values, with every tensor of theirs, and resume exactly."""

import copy
import functools

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from autopeft.catalog import load_catalog
from autopeft.modeling.adapter_files import load_trainable_state, trainable_state
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update
from autopeft.modeling.wrap import wrap

CATALOG = load_catalog()
METHODS = [
    "adalora",
    "adamix",
    "diffpruning",
    "eva",
    "far",
    "fishmask",
    "loretta-adp",
    "loretta-rep",
    "lorta",
    "lst",
    "lt-sft",
    "said",
    "sam",
    "sara",
    "sparse-adapter",
    "ssb",
    "ssl",
]
STEPS = 16


@functools.cache
def base() -> T5ForConditionalGeneration:
    """A language model: it has no head that could learn in a method's place."""
    torch.manual_seed(0)
    config = T5Config(
        d_model=16, d_kv=8, d_ff=24, num_layers=1, num_decoder_layers=2, num_heads=2, vocab_size=40, dropout_rate=0.0
    )
    config.decoder_start_token_id = 0
    return T5ForConditionalGeneration(config).requires_grad_(False)


def batch() -> dict[str, Tensor]:
    ids = torch.randint(1, 40, (4, 6), generator=torch.Generator().manual_seed(2))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids[:, :4].contiguous()}


def wrapped(method: str) -> tuple[PeftModel, torch.optim.Optimizer]:
    spec = CATALOG.methods[method]
    values = spec.start(base().num_parameters())
    architecture = architecture_of(base().config.to_dict(), CATALOG)
    model = wrap(base(), spec, values, CATALOG.tasks["text-to-text"], architecture, head_seed=3).train()
    assert isinstance(model, PeftModel)
    return model, build_optimizer(model, values)


def trained(model: PeftModel, optimizer: torch.optim.Optimizer, steps: range) -> list[float]:
    losses = []
    for step in steps:
        torch.manual_seed(step)
        losses.append(float(training_step(model, [batch()], optimizer, max_grad_norm=1.0)))
        after_update(model, step, STEPS)
    return losses


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_falls_and_every_tensor_of_the_adapter_moves(method: str) -> None:
    model, optimizer = wrapped(method)
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        start = float(model.eval()(**batch()).loss)
        assert start == pytest.approx(float(base().eval()(**batch()).loss), abs=1e-5)
    trained(model.train(), optimizer, range(1, STEPS + 1))
    with torch.no_grad():
        assert float(model.eval()(**batch()).loss) < start - 0.01
    assert [name for name, p in model.named_parameters() if name in before and torch.equal(p, before[name])] == []


RESUMED = ["adalora", "adamix", "diffpruning", "eva", "fishmask", "lt-sft", "sara", "sparse-adapter"]


@pytest.mark.parametrize("method", RESUMED)
def test_a_resumed_training_goes_on_exactly(method: str) -> None:
    model, optimizer = wrapped(method)
    cut = STEPS // 2 + 2
    trained(model, optimizer, range(1, cut + 1))
    again, other = wrapped(method)
    load_trainable_state(again, trainable_state(model))
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    straight = trained(model, optimizer, range(cut + 1, STEPS + 1))
    assert trained(again, other, range(cut + 1, STEPS + 1)) == straight
