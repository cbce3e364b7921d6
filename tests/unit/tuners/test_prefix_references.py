"""Prefix tuning, MAM and UniPELT compute what their papers say, on whole models of three families.

The reference is the parallel form of arXiv:2110.04366, equation 7: plain attention over the text, plain attention over
the prefix, mixed by the prefix' share of the softmax. It stands in for the attention of an unwrapped model.
"""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification
from transformers.modeling_utils import AttentionInterface

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.tuners.mam import MamConfig
from autopeft.tuners.prefix import PrefixConfig
from autopeft.tuners.unipelt import UniPELTConfig

SIZES = {"vocab_size": 60, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
KEYS = r".*\.(key|k_proj|k)"
QUERIES = r".*\.(query|q_proj|q)"
QUERIES_AND_VALUES = r".*\.(query|value|q_proj|v_proj|q|v)"
FFN_IN = r".*(intermediate\.dense|gate_proj|up_proj|wi_0|wi_1)"
FFN_OUT = r".*(layer\.\d\.output\.dense|down_proj|DenseReluDense\.wo)"
ATTENTION, BESIDE, ALL = rf"{KEYS}|{QUERIES_AND_VALUES}", rf"{FFN_IN}|{FFN_OUT}", rf"{KEYS}|{FFN_IN}|{FFN_OUT}"
Prefix = tuple[torch.Tensor, torch.Tensor]
Gate = Callable[[], torch.Tensor] | None


def small_model(family: str) -> nn.Module:
    torch.manual_seed(0)
    if family == "bert":
        config = AutoConfig.for_model("bert", **SIZES, max_position_embeddings=32)
        return AutoModelForSequenceClassification.from_config(config).eval()
    if family == "llama":
        config = AutoConfig.for_model("llama", **SIZES, num_key_value_heads=2, pad_token_id=0, eos_token_id=1)
        return AutoModelForCausalLM.from_config(config).eval()
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_decoder_layers": 2, "num_heads": 4}
    config = AutoConfig.for_model(
        "t5", vocab_size=60, **sizes, feed_forward_proj="gated-gelu", decoder_start_token_id=0, pad_token_id=0
    )
    return AutoModelForSeq2SeqLM.from_config(config).eval()


def batch(family: str, *, padded: bool) -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 60, (3, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    if padded:
        mask[0, 5:] = 0
    fields = {"input_ids": ids, "attention_mask": mask}
    return fields | ({"decoder_input_ids": ids[:, :4]} if family == "t5" else {})


def randomised(model: nn.Module, config: object, spread: float = 0.5) -> PeftModel:
    wrapped = get_peft_model(copy.deepcopy(model), config)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if parameter.requires_grad and "modules_to_save" not in name:
                parameter.normal_(std=spread)
    return wrapped.eval()


def by_name(wrapped: PeftModel, kind: str) -> dict[str, nn.Module]:
    """The tuner's layers of one class, by the name of the module that they wrap."""
    modules = wrapped.base_model.model.named_modules()
    return {name: module for name, module in modules if type(module).__name__ == kind}


def mixed_attention(prefix: Prefix, gate: torch.Tensor | None, scores: torch.Tensor, states: Prefix) -> torch.Tensor:
    """(1 - g) attention over the text + g attention over the prefix, for text scores B x h x q x k."""
    query, value = states
    prefix_scores = torch.einsum("bhqd,hkd->bhqk", query, prefix[0])
    prefix_scores = prefix_scores if gate is None else prefix_scores * gate
    own = torch.softmax(prefix_scores, -1) @ prefix[1]
    own = own if gate is None else own * gate
    share = torch.sigmoid(prefix_scores.logsumexp(-1) - scores.logsumexp(-1))[..., None]
    return (1 - share) * (torch.softmax(scores, -1) @ value) + share * own


def reference_attention(places: dict[nn.Module, tuple[Prefix, Gate]]) -> Callable:
    def attend(module, query, key, value, mask, scaling=None, position_bias=None, is_causal=None, **_):
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scores = scaling * query @ key.mT
        scores = scores if position_bias is None else scores + position_bias
        if mask is None and module.is_causal and query.shape[2] > 1:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
        if module not in places:
            return (torch.softmax(scores, -1) @ value).transpose(1, 2), None
        prefix_states, gate = places[module]
        per_head = [part.unflatten(-1, (-1, query.shape[-1])).transpose(0, 1) for part in prefix_states]
        prefix = tuple(part.repeat_interleave(groups, 0) for part in per_head)
        opened = None if gate is None else gate()[:, None]
        return mixed_attention(prefix, opened, scores, (scaling * query, value)).transpose(1, 2), None

    return attend


def prefix_of(site: nn.Module, holders: list[nn.Module]) -> Prefix:
    """P_K and P_V, flat or as [P_K, P_V] = U tanh(W E + c) + u."""
    if "default" in site.prefix_values:
        return tuple(site.prefix_values["default"])
    (network,) = [h.prefix_network["default"] for h in holders if h.kind == site.kind and "default" in h.prefix_network]
    hidden = torch.tanh(network.embedding @ network.weight.T + network.bias)
    projection = site.prefix_projection["default"]
    return tuple((hidden @ projection.weight.T + projection.bias).chunk(2, dim=-1))


@pytest.fixture
def put_reference(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    def put(base: nn.Module, wrapped: PeftModel, kind: str, gates: dict[str, Gate]) -> None:
        sites = by_name(wrapped, kind)
        attentions = {name: base.get_submodule(name.rpartition(".")[0]) for name in sites}
        places = {
            attentions[name]: (prefix_of(site, list(sites.values())), gates.get(name.rpartition(".")[0]))
            for name, site in sites.items()
        }
        monkeypatch.setitem(AttentionInterface._global_mapping, "sdpa", reference_attention(places))

    return put


def outputs(model: nn.Module, family: str, padded: bool) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(**batch(family, padded=padded)).logits
    return logits


def close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5 * max(1.0, expected.abs().max().item()), rtol=1e-5)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_prefix_tuning(family: str, projection: bool, padded: bool, put_reference: Callable) -> None:
    base = small_model(family)
    config = PrefixConfig(target_modules=KEYS, num_virtual_tokens=5, prefix_projection=projection, prefix_bottleneck=6)
    wrapped = randomised(base, config)
    actual = outputs(wrapped, family, padded)
    put_reference(base, wrapped, "PrefixLayer", {})
    close(actual, outputs(base, family, padded))


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_eager_and_sdpa_attention_agree(family: str) -> None:
    base = small_model(family)
    wrapped = randomised(base, PrefixConfig(target_modules=KEYS, num_virtual_tokens=5))
    with_sdpa = outputs(wrapped, family, True)
    wrapped.get_base_model().set_attn_implementation("eager")
    close(outputs(wrapped, family, True), with_sdpa)


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_mam(family: str, put_reference: Callable) -> None:
    base = small_model(family)
    options = {"target_modules": ALL, "prefix_modules": KEYS, "input_modules": FFN_IN}
    config = MamConfig(num_virtual_tokens=4, prefix_bottleneck=6, bottleneck_size=3, scaling=4.0, **options)
    wrapped = randomised(base, config, 0.3)
    actual = outputs(wrapped, family, True)
    put_reference(base, wrapped, "PrefixLayer", {})
    ends = by_name(wrapped, "ParallelLayer").items()
    for start, (name, site) in zip(by_name(wrapped, "InputLayer"), ends, strict=True):
        seen: list[torch.Tensor] = []
        base.get_submodule(start).register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
        adapter = site.parallel_bottleneck["default"]

        def beside(_module, _args, output, seen=seen, adapter=adapter):
            hidden = torch.relu(seen.pop() @ adapter.down_weight.T + adapter.down_bias)
            return output + 4.0 * (hidden @ adapter.up_weight.T + adapter.up_bias)

        base.get_submodule(name).register_forward_hook(beside)
    close(actual, outputs(base, family, True))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_unipelt(family: str, padded: bool, put_reference: Callable) -> None:
    base = small_model(family)
    wrapped = randomised(base, unipelt(), 0.3)
    actual = outputs(wrapped, family, padded)
    gates: dict[str, Gate] = {}

    def gate(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x @ layer.weight.T + layer.bias)

    for name, site in by_name(wrapped, "GatedLoraLayer").items():
        if "default" in site.unipelt_prefix_gate:
            seen: list[torch.Tensor] = []
            base.get_submodule(name).register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
            layer = site.unipelt_prefix_gate["default"]
            gates[name.rpartition(".")[0]] = lambda seen=seen, layer=layer: gate(layer, seen.pop())

        def lora(_module, args, output, site=site):
            change = args[0] @ site.unipelt_a["default"].T @ site.unipelt_b["default"].T
            return output + gate(site.unipelt_gate["default"], args[0]) * 4.0 * change

        base.get_submodule(name).register_forward_hook(lora)
    for name, site in by_name(wrapped, "GatedBottleneckLayer").items():

        def serial(_module, _args, output, site=site):
            adapter = site.unipelt_bottleneck["default"]
            hidden = torch.relu(output @ adapter.down_weight.T + adapter.down_bias)
            return output + gate(site.unipelt_gate["default"], output) * (
                hidden @ adapter.up_weight.T + adapter.up_bias
            )

        base.get_submodule(name).register_forward_hook(serial)
    put_reference(base, wrapped, "GatedPrefixLayer", gates)
    close(actual, outputs(base, family, padded))


def unipelt(**options: object) -> UniPELTConfig:
    fields = {"lora_modules": QUERIES_AND_VALUES, "query_modules": QUERIES, "prefix_modules": KEYS}
    sizes = {"r": 2, "lora_alpha": 8, "num_virtual_tokens": 3, "prefix_bottleneck": 6, "bottleneck_size": 3}
    return UniPELTConfig(target_modules=rf"{ATTENTION}|{FFN_OUT}", **(fields | sizes | options))


CONFIGS = {
    "flat": PrefixConfig(target_modules=KEYS, num_virtual_tokens=5),
    "network": PrefixConfig(target_modules=KEYS, num_virtual_tokens=5, prefix_projection=True, prefix_bottleneck=6),
    "mam": MamConfig(target_modules=ALL, prefix_modules=KEYS, input_modules=FFN_IN, bottleneck_size=3),
    "unipelt": unipelt(),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_disabling_and_unloading_give_the_base_back(name: str) -> None:
    base = small_model("t5")
    expected = outputs(base, "t5", True)
    wrapped = randomised(base, CONFIGS[name])
    assert not torch.allclose(outputs(wrapped, "t5", True), expected)
    with wrapped.disable_adapter():
        assert torch.equal(outputs(wrapped, "t5", True), expected)
    plain = wrapped.unload()
    assert torch.equal(outputs(plain, "t5", True), expected)
    assert all(module.config is plain.decoder.config for module in plain.decoder.modules() if hasattr(module, "config"))


@pytest.mark.parametrize("name", CONFIGS)
def test_generating_with_a_cache_equals_generating_without(name: str) -> None:
    wrapped = randomised(small_model("llama"), CONFIGS[name])
    fields = {"max_new_tokens": 6, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
    prompt = {key: value[1:, :4] for key, value in batch("llama", padded=False).items()}
    with_cache = wrapped.generate(**prompt, use_cache=True, **fields)
    without = wrapped.generate(**prompt, use_cache=False, **fields)
    assert torch.equal(with_cache.sequences, without.sequences)
    close(torch.stack(with_cache.logits), torch.stack(without.logits))


@pytest.mark.parametrize("name", CONFIGS)
def test_no_later_token_changes_an_earlier_output(name: str) -> None:
    wrapped = randomised(small_model("llama"), CONFIGS[name])
    ids = batch("llama", padded=False)["input_ids"]
    with torch.no_grad():
        close(wrapped(input_ids=ids[:, :4]).logits, wrapped(input_ids=ids).logits[:, :4])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CONFIGS)
def test_gradient_checkpointing_changes_no_gradient(name: str) -> None:
    wrapped = randomised(small_model("t5"), CONFIGS[name], 0.1).train()
    trained = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]

    def gradients() -> list[torch.Tensor]:
        torch.manual_seed(0)
        labels = batch("t5", padded=True)["decoder_input_ids"].contiguous()
        fields = {key: value for key, value in batch("t5", padded=True).items() if key != "decoder_input_ids"}
        return list(torch.autograd.grad(wrapped(**fields, labels=labels).loss, trained))

    plain = gradients()
    wrapped.get_base_model().gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    for expected, actual in zip(plain, gradients(), strict=True):
        torch.testing.assert_close(actual, expected)


def test_a_shared_network_is_saved_once_and_loads_under_any_name(tmp_path: Path) -> None:
    base = small_model("t5")
    wrapped = randomised(base, CONFIGS["network"])
    wrapped.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    # Three kinds of attention (encoder, decoder, cross), five attentions.
    assert sum("prefix_network.embedding" in key for key in saved) == 3
    assert sum("prefix_projection.weight" in key for key in saved) == 5
    assert not any("default" in key for key in saved)
    again = PeftModel.from_pretrained(small_model("t5"), tmp_path, adapter_name="another").eval()
    assert torch.equal(outputs(again, "t5", True), outputs(wrapped, "t5", True))


def test_two_active_prefixes_stand_one_before_the_other() -> None:
    wrapped = randomised(small_model("bert"), CONFIGS["flat"])
    wrapped.add_adapter("other", PrefixConfig(target_modules=KEYS, num_virtual_tokens=2))
    first = outputs(wrapped, "bert", True)
    wrapped.base_model.set_adapter(["default", "other"])
    both = outputs(wrapped, "bert", True)
    site = next(iter(by_name(wrapped, "PrefixLayer").values()))
    assert site.active_prefix(torch.zeros(3, 4, 7, 4))[0].shape == (3, 4, 7, 4)
    assert not torch.allclose(both, first)


def test_attention_outside_the_interface_is_refused() -> None:
    config = AutoConfig.for_model("deberta-v2", **SIZES)
    model = AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(ValueError, match="DisentangledSelfAttention computes attention on its own"):
        get_peft_model(model, PrefixConfig(target_modules=r".*\.key_proj"))


def test_a_kernel_that_takes_no_mask_is_refused() -> None:
    wrapped = randomised(small_model("bert"), CONFIGS["flat"])
    wrapped.get_base_model().config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="'eager' or 'sdpa', not 'flash_attention_2'"):
        outputs(wrapped, "bert", False)


def test_unipelt_needs_a_matrix_for_queries_and_one_for_keys() -> None:
    config = AutoConfig.for_model("gpt2", vocab_size=60, n_embd=16, n_layer=1, n_head=2)
    fused = r".*\.c_attn"
    options = {"lora_modules": fused, "query_modules": fused, "prefix_modules": fused, "target_modules": fused}
    with pytest.raises(ValueError, match="queries and keys in one"):
        get_peft_model(AutoModelForCausalLM.from_config(config), UniPELTConfig(**options))


@pytest.mark.parametrize("bad", [{"num_virtual_tokens": 0}, {"prefix_bottleneck": 0}])
def test_nonsense_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        PrefixConfig(**bad)
