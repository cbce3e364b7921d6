"""Wrapping: cheap, isolated from the base, seeded, and refused where it cannot work."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from autopeft.catalog.contents import Catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import architecture_of, role_regex, target_regex
from autopeft.modeling.build import build_on_meta, enable_gradient_checkpointing, load_base
from autopeft.modeling.clone import clone_sharing_weights
from autopeft.modeling.parameters import count_parameters
from autopeft.modeling.source import read_model
from autopeft.modeling.wrap import wrap
from autopeft.modeling.wrap_checks import check_wrapped

TASKS = {"bert": "sequence-classification", "llama": "causal-lm", "t5": "text-to-text"}


@pytest.fixture(scope="module")
def bases(tiny_folders: dict[str, Path], catalog: Catalog) -> dict[str, PreTrainedModel]:
    return {
        family: load_base(read_model(str(folder), catalog), catalog.tasks[TASKS[family]], 2)
        for family, folder in tiny_folders.items()
    }


def wrapped(base: PreTrainedModel, method: MethodSpec, catalog: Catalog, *, seed: int | None = 1, **knobs: object):
    task = catalog.tasks[TASKS[base.config.model_type]]
    architecture = architecture_of({"model_type": base.config.model_type}, catalog)
    return wrap(base, method, method.start(1_000_000) | knobs, task, architecture, head_seed=seed)


def test_clone_shares_frozen_memory_and_owns_the_head(bases: dict[str, PreTrainedModel]) -> None:
    base = bases["bert"]
    clone = clone_sharing_weights(base)
    own = {
        name
        for (name, p), (_, q) in zip(clone.named_parameters(), base.named_parameters(), strict=True)
        if p.data_ptr() != q.data_ptr()
    }
    assert own == {"classifier.weight", "classifier.bias"}
    clone.bert.requires_grad_(True)
    assert not any(p.requires_grad for p in base.parameters())
    clone.bert.encoder.layer[0].output.dense = torch.nn.Identity()
    assert isinstance(base.bert.encoder.layer[0].output.dense, torch.nn.Linear)


def test_full_clone_shares_nothing_and_keeps_ties(bases: dict[str, PreTrainedModel]) -> None:
    base = bases["t5"]
    clone = clone_sharing_weights(base, own_all=True)
    shared = {p.data_ptr() for p in base.parameters()} & {p.data_ptr() for p in clone.parameters()}
    assert not shared
    assert clone.shared.weight is clone.encoder.embed_tokens.weight
    assert sum(p.numel() for p in clone.parameters()) == sum(p.numel() for p in base.parameters())


@pytest.mark.parametrize("method_id", ["lora", "houlsby", "prefix-tuning", "p-tuning", "prompt-tuning", "full"])
def test_same_seed_same_values_and_the_random_state_is_left_alone(
    method_id: str, bases: dict[str, PreTrainedModel], catalog: Catalog
) -> None:
    method = catalog.methods[method_id]
    knobs = {"virtual_tokens": 4} if "tuning" in method_id else {}
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(states))
        before = torch.get_rng_state()
        states.append(dict(wrapped(bases["bert"], method, catalog, seed=seed, **knobs).named_parameters()))
        assert torch.equal(torch.get_rng_state(), before)
    first, second, third = states
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first if first[name].requires_grad)


def test_without_a_seed_the_head_stays(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    model = wrapped(bases["bert"], catalog.methods["lora"], catalog, seed=None)
    head = model.get_base_model().classifier.modules_to_save["default"]
    assert torch.equal(head.weight, bases["bert"].classifier.weight)


@pytest.mark.parametrize("training", [True, False])
def test_the_training_mode_is_the_bases(training: bool, bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    base = copy.deepcopy(bases["bert"]).train(training)
    model = wrapped(base, catalog.methods["lora"], catalog)
    assert {module.training for module in model.modules()} == {training}


def test_rank_beyond_the_layer_is_refused(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="rank 64 of lora exceeds") as caught:
        wrapped(bases["bert"], catalog.methods["lora"], catalog, r=64)
    assert "at most 32" in str(caught.value.hint)


def test_too_many_virtual_tokens_are_refused(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="fill the model's 32 positions"):
        wrapped(bases["bert"], catalog.methods["prompt-tuning"], catalog, virtual_tokens=32)


def test_missing_roles_are_named(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    method = replace(catalog.methods["lora"], targets={"target_modules": ("cross_query",)})
    with pytest.raises(ModelError, match="lora targets cross_query"):
        wrapped(bases["bert"], method, catalog)


def test_bitfit_without_biases_is_refused(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="bias"):
        wrapped(bases["llama"], catalog.methods["bitfit"], catalog)


def test_head_alone_on_a_language_model_is_refused(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="head-only"):
        wrapped(bases["llama"], catalog.methods["head-only"], catalog)


def test_what_peft_refuses_becomes_a_model_error(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    method = replace(catalog.methods["lora"], settings={"no_such_field": 1})
    with pytest.raises(ModelError, match="peft refuses lora"):
        wrapped(bases["bert"], method, catalog)


def test_prefix_tuning_and_gradient_checkpointing_do_not_mix(
    bases: dict[str, PreTrainedModel], catalog: Catalog
) -> None:
    base = copy.deepcopy(bases["llama"])
    enable_gradient_checkpointing(base)
    with pytest.raises(ModelError, match="prefix-tuning cannot be put on"):
        wrapped(base, catalog.methods["prefix-tuning"], catalog)


def test_checks_find_an_untrained_head_an_undeclared_part_and_nothing(
    bases: dict[str, PreTrainedModel], catalog: Catalog
) -> None:
    method = catalog.methods["lora"]
    model = wrapped(bases["bert"], method, catalog)
    assert isinstance(model, PeftModel)
    check_wrapped(model, method, ["classifier"])
    with pytest.raises(ModelError, match="untrained"):
        check_wrapped(model, method, ["classifier", "bert.pooler"])
    model.get_base_model().bert.pooler.requires_grad_(True)
    with pytest.raises(ModelError, match=r"also train .*pooler"):
        check_wrapped(model, method, ["classifier"])
    with pytest.raises(ModelError, match="nothing"):
        check_wrapped(model.requires_grad_(False), method, ["classifier"])


def test_prefix_sizes_follow_t5_heads(catalog: Catalog) -> None:
    # T5-3B: 32 heads of 128 in a model 1024 wide.
    config = {"model_type": "t5", "d_model": 1024, "d_kv": 128, "num_heads": 32, "d_ff": 16384, "vocab_size": 64}
    config["num_layers"] = 2
    base = build_on_meta(ModelSpec("t5-3b", config), catalog.tasks["text-to-text"], StepShape())
    model = wrapped(base, catalog.methods["prefix-tuning"], catalog, virtual_tokens=10)
    assert count_parameters(model).adapter == 10 * 2 * 2 * 32 * 128


def test_roles_match_whole_names_only(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    import re

    bert = catalog.architectures["bert"]
    regex = target_regex(bert, ["ffn_out"], bases["bert"])
    names = [name for name, _ in bases["bert"].named_modules() if re.fullmatch(regex, name)]
    assert names == [f"bert.encoder.layer.{i}.output.dense" for i in range(2)]
    assert role_regex(bert, ["cross_query"]) is None


def test_unknown_model_type_lists_the_known(catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="'nonesuch'") as caught:
        architecture_of({"model_type": "nonesuch"}, catalog)
    assert "bert" in str(caught.value.hint)


def test_counts(bases: dict[str, PreTrainedModel], catalog: Catalog) -> None:
    base = bases["bert"]
    size = sum(p.numel() for p in base.parameters())
    head = 2 * 32 + 2
    lora = count_parameters(wrapped(base, catalog.methods["lora"], catalog, r=4))
    adapter = 2 * 2 * (4 * 32 + 32 * 4)
    assert (lora.trainable, lora.adapter, lora.total) == (adapter + head, adapter, size + adapter)
    alone = count_parameters(wrapped(base, catalog.methods["head-only"], catalog))
    assert (alone.trainable, alone.adapter, alone.total) == (head, 0, size)
    full = count_parameters(wrapped(base, catalog.methods["full"], catalog))
    assert (full.trainable, full.adapter, full.total) == (size, size - head, size)
