"""Ladder Side-Tuning: the formula, and that nothing of the backbone is kept for the backward pass."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.tuners.lst import LstConfig, LstLayer

WIDTH, INNER, BLOCKS = 32, 96, 3
TARGETS = ["down_proj"]


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        vocab_size=50,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)


def randomised(model: nn.Module) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lst_" in name:
                parameter.normal_(std=0.3)


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 50, (2, 9), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


def rms(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()


def test_the_last_hidden_state_is_the_backbones_plus_the_ladders() -> None:
    base = llama()
    with torch.no_grad():
        states = []
        for layer in base.model.layers:
            layer.register_forward_hook(lambda _module, given, out: states.append((given[0], out)))
        base(**batch())
    [layer._forward_hooks.clear() for layer in base.model.layers]
    model = get_peft_model(base, LstConfig(reduction=4, target_modules=TARGETS))
    randomised(model)
    rungs = [layer.lst_rung["default"] for layer in base.model.layers]
    side = states[0][0] @ rungs[0].entry.T
    for rung, (_, hidden) in zip(rungs, states, strict=True):
        share = torch.sigmoid(rung.gate / 0.1)
        mixed = share * side + (1 - share) * (hidden @ rung.down.T)
        side = mixed + nn.functional.gelu((rms(mixed) * rung.norm) @ rung.widen.T) @ rung.narrow.T
    last = states[-1][1] + (rms(side) * rungs[-1].exit_norm) @ rungs[-1].up.T
    expected = base.lm_head(base.model.norm(last))
    torch.testing.assert_close(model(**batch()).logits, expected, atol=1e-5, rtol=1e-5)


def test_the_count_is_the_formulas() -> None:
    model = get_peft_model(llama(), LstConfig(reduction=4, target_modules=TARGETS))
    k = WIDTH // 4
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert trained == BLOCKS * (1 + k * WIDTH + k + 8 * k * k) + 2 * k * WIDTH + k


def saved_for_backward(model: nn.Module) -> list[torch.Tensor]:
    """Activations, not parameters, that autograd keeps in a training step's forward pass."""
    kept: dict[int, torch.Tensor] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = model(**batch()).loss
    loss.backward()
    return list(kept.values())


def test_no_activation_of_the_backbones_blocks_is_kept() -> None:
    kept = saved_for_backward(get_peft_model(llama().train(), LstConfig(reduction=4, target_modules=TARGETS)))
    assert kept and not [tensor.shape for tensor in kept if tensor.shape[-1:] == (INNER,)]
    lora = saved_for_backward(get_peft_model(llama().train(), LoraConfig(r=2, target_modules=["q_proj", "v_proj"])))
    assert [tensor for tensor in lora if tensor.shape[-1:] == (INNER,)], "LoRA does keep them"
    assert sum(map(torch.numel, kept)) < 0.6 * sum(map(torch.numel, lora))


def test_the_graph_does_not_outlive_the_step() -> None:
    model = get_peft_model(llama(), LstConfig(target_modules=TARGETS))
    model(**batch()).loss.backward()
    assert model.base_model.ladder.side is None


def test_an_encoder_decoder_has_its_ladder_on_the_decoder() -> None:
    config = T5Config(d_model=16, d_kv=8, d_ff=24, num_layers=2, num_decoder_layers=1, num_heads=2, vocab_size=40)
    model = get_peft_model(T5ForConditionalGeneration(config), LstConfig(target_modules=["wo"]))
    wrapped = [name for name, module in model.named_modules() if isinstance(module, LstLayer)]
    assert wrapped == ["base_model.model.decoder.block.0"]
    ids = torch.ones(1, 4, dtype=torch.long)
    generated = model.generate(input_ids=ids, max_new_tokens=3, num_beams=2, decoder_start_token_id=0)
    assert generated.shape[0] == 1


def test_cached_generation_says_what_a_full_pass_says() -> None:
    model = get_peft_model(llama().eval(), LstConfig(reduction=4, target_modules=TARGETS))
    randomised(model)
    ids = batch()["input_ids"][:1]
    cached = model.generate(input_ids=ids, max_new_tokens=5, do_sample=False, use_cache=True)
    plain = model.generate(input_ids=ids, max_new_tokens=5, do_sample=False, use_cache=False)
    assert torch.equal(cached, plain)


@pytest.mark.parametrize("bad", [{"reduction": 0}, {"temperature": 0.0}])
def test_nonsense_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        LstConfig(**bad)


def test_it_refuses_to_merge_and_a_model_without_blocks() -> None:
    with pytest.raises(ValueError, match="cannot be merged"):
        get_peft_model(llama(), LstConfig(target_modules=TARGETS)).merge_and_unload()
    with pytest.raises(ValueError, match="no numbered block"):
        get_peft_model(nn.ModuleDict({"only": nn.Linear(4, 4)}), LstConfig(target_modules=["only"]))
