"""LoRA+, LoRA-FA and GaLore update as their papers say, go on exactly after a pause, and save what they should."""

import copy
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_lorafa_optimizer
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from autopeft.catalog import Catalog
from autopeft.errors import UsageError
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.projected import ProjectedAdamW, leading_directions, project, project_back
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.update_rules import apply_update_rule, note_update_rule
from autopeft.modeling.wrap import wrap
from autopeft.training.checkpoint import load_checkpoint, save_checkpoint
from autopeft.training.schedule import set_learning_rate

SIZES = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50}
BATCH = {"input_ids": torch.arange(12).view(3, 4), "labels": torch.tensor([0, 1, 0])}


def wrapped(catalog: Catalog, name: str, **knobs: float) -> tuple[nn.Module, dict[str, object]]:
    torch.manual_seed(0)
    config = BertConfig(**SIZES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    base = BertForSequenceClassification(config).requires_grad_(False)
    method, task = catalog.method(name), catalog.task("sequence-classification")
    values = method.complete(knobs, 10_000)
    return wrap(base, method, values, task, architecture_of(config.to_dict(), catalog), head_seed=0).train(), values


def test_lora_plus_learns_its_output_factors_faster(catalog: Catalog) -> None:
    model, values = wrapped(catalog, "lora-plus", learning_rate=0.001, rate_ratio=8.0)
    optimizer = build_optimizer(model, values)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert rates.keys() == {id(p) for p in named.values()}
    assert {rates[id(p)] for name, p in named.items() if "lora_B" in name} == {0.008}
    assert {rates[id(p)] for name, p in named.items() if "lora_B" not in name} == {0.001}
    set_learning_rate(optimizer.param_groups, 0.002, 0.5)
    assert sorted(group["lr"] for group in optimizer.param_groups) == [0.001, 0.008]


def test_lora_fa_updates_the_output_factor_as_pefts_optimizer_does(catalog: Catalog) -> None:
    """Both from the same gradients; peft's product of the gradient is in bfloat16, hence the tolerance."""
    torch.manual_seed(1)
    config = LoraConfig(r=3, lora_alpha=6, target_modules=["0"])
    ours = get_peft_model(nn.Sequential(nn.Linear(8, 5)), config)
    theirs = copy.deepcopy(ours)
    note_update_rule(ours, catalog.method("lora-fa"))
    rows = torch.randn(16, 8)
    reference = create_lorafa_optimizer(theirs, r=3, lora_alpha=6, lr=0.01)
    optimizer = torch.optim.AdamW([p for p in ours.parameters() if p.requires_grad], lr=0.01, weight_decay=0, eps=1e-6)
    apply_update_rule(ours, optimizer, {})
    start = {name: p.detach().clone() for name, p in ours.named_parameters()}
    for model, stepper in ((ours, optimizer), (theirs, reference)):
        for _ in range(3):
            stepper.zero_grad()
            model(rows).square().mean().backward()
            stepper.step()
    found, expected = dict(ours.named_parameters()), dict(theirs.named_parameters())
    for name in start:
        assert torch.equal(found[name], start[name]) is ("lora_B" not in name)
        torch.testing.assert_close(found[name], expected[name], rtol=0.02, atol=2e-3)


def test_galore_projects_on_the_leading_directions_of_either_side() -> None:
    torch.manual_seed(0)
    low_rank = torch.randn(9, 3) @ torch.randn(3, 5)
    for gradient in (low_rank, low_rank.T.contiguous()):
        directions = leading_directions(gradient, 3)
        small = project(gradient, directions)
        assert directions.shape == (3, 5) and small.numel() == 27
        torch.testing.assert_close(project_back(small, directions, gradient.shape), gradient, atol=1e-5, rtol=1e-5)


def test_galore_with_a_full_projection_is_adamw_and_keeps_less_with_a_small_one() -> None:
    torch.manual_seed(0)
    target, rows = torch.randn(6, 4), torch.randn(20, 4)

    def trained(group: dict[str, object], plain: bool) -> tuple[torch.Tensor, torch.optim.Optimizer]:
        weight = nn.Parameter(torch.zeros(6, 4))
        settings = {"lr": 0.05, "weight_decay": 0.1}
        optimizer = (
            torch.optim.AdamW([weight], **settings)
            if plain
            else ProjectedAdamW([{"params": [weight], **group}], settings["lr"], settings["weight_decay"])
        )
        for _ in range(5):
            optimizer.zero_grad()
            (rows @ (weight - target).T).square().mean().backward()
            optimizer.step()
        return weight.detach(), optimizer

    expected, _ = trained({}, plain=True)
    torch.testing.assert_close(trained({"projection_rank": None}, plain=False)[0], expected)
    small = {"projection_rank": 2, "projection_interval": 2, "projection_scale": 1.0}
    weight, optimizer = trained(small, plain=False)
    (state,) = optimizer.state.values()
    assert state["exp_avg"].shape == (6, 2) and state["projection"].shape == (2, 4)
    assert (weight - target).norm() < target.norm()


@pytest.mark.parametrize("name", ["lora-plus", "lora-fa", "galore"])
def test_a_paused_training_goes_on_exactly(name: str, catalog: Catalog, tmp_path: Path) -> None:
    model, values = wrapped(catalog, name)
    optimizer = build_optimizer(model, values)
    for _ in range(3):
        training_step(model, [BATCH], optimizer)
    save_checkpoint(tmp_path, 3, model, optimizer)
    again, _ = wrapped(catalog, name)
    other = build_optimizer(again, values)
    load_checkpoint(tmp_path, 3, again, other)
    straight = [float(training_step(model, [BATCH], optimizer)) for _ in range(3)]
    assert [float(training_step(again, [BATCH], other)) for _ in range(3)] == straight
    assert straight[-1] < float(training_step(*_fresh(catalog, name)))


def _fresh(catalog: Catalog, name: str) -> tuple[nn.Module, list[dict[str, torch.Tensor]], torch.optim.Optimizer]:
    model, values = wrapped(catalog, name)
    return model, [BATCH], build_optimizer(model, values)


def test_galore_takes_no_other_optimizer(catalog: Catalog) -> None:
    model, values = wrapped(catalog, "galore")
    with pytest.raises(UsageError, match="an AdamW of its own"):
        build_optimizer(model, values, "adamw-8bit")


def test_galore_leaves_embeddings_and_head_as_they_are(catalog: Catalog) -> None:
    model, values = wrapped(catalog, "galore", projection_rank=4)
    projected, plain = build_optimizer(model, values).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)].rpartition(".")[2] for p in projected["params"]} == {"weight"}
    chosen = {names[id(p)] for p in projected["params"]}
    assert not any(part in name for name in chosen for part in ("embeddings", "classifier", "LayerNorm"))
    assert sum("encoder.layer.0" in name for name in chosen) == 6
    assert len(projected["params"]) + len(plain["params"]) == len(names)
