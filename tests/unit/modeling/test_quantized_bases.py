"""Quantised bases hold what bitsandbytes' layers hold, and peft adapts them."""

from typing import Any

import pytest
import torch
from torch import nn

from autopeft.catalog.contents import Catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.parameters import count_parameters
from autopeft.modeling.quantize import quantize
from autopeft.modeling.quantized_layers import QuantizedLinear, QuantizedLora
from autopeft.modeling.wrap import wrap

# Storage bytes of bitsandbytes 0.50.2's Linear4bit (nf4) and Linear8bitLt without bias, read off the layers after they
# were quantised on a CPU: weight, absmax (or SCB), code tables and, where nested, offset and nested absmax.
MEASURED_BYTES = [
    (256, 64, "nf4", 9280),
    (256, 64, "nf4-double", 9544),
    (256, 64, "int8", 17408),
    (48, 100, "nf4", 2764),
    (48, 100, "nf4-double", 3571),
    (48, 100, "int8", 4992),
    (7, 9, "nf4", 100),
    (7, 9, "nf4-double", 1129),
    (7, 9, "int8", 91),
    (1000, 130, "nf4", 73192),
    (1000, 130, "nf4-double", 68156),
    (1000, 130, "int8", 134000),
]
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 100,
    "tie_word_embeddings": False,
}
GPT2 = {"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 1, "vocab_size": 100, "n_positions": 32}
BERT = {
    "model_type": "bert",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 1,
    "vocab_size": 100,
}


def _layer(outputs: int, inputs: int, layout: Any, **changes: Any) -> QuantizedLinear:
    settings = {"weight_dtype": torch.bfloat16, "compute_dtype": torch.bfloat16, "autocast": False} | changes
    return QuantizedLinear(inputs, outputs, None, layout, **settings)


@pytest.mark.parametrize(("outputs", "inputs", "layout", "measured"), MEASURED_BYTES)
def test_a_layer_takes_the_bytes_of_the_real_one(outputs: int, inputs: int, layout: str, measured: int) -> None:
    layer = _layer(outputs, inputs, layout)
    tensors = [*layer.parameters(), *layer.buffers()]
    assert sum(tensor.untyped_storage().nbytes() for tensor in tensors) == measured


@pytest.mark.parametrize("layout", ["nf4", "nf4-double", "int8"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_layer_maps_shapes_and_dtypes_as_a_linear_one_and_sends_gradients_on(layout: str, dtype: torch.dtype) -> None:
    tokens = torch.empty(2, 3, 64, dtype=dtype, device="meta", requires_grad=True)
    output = _layer(48, 64, layout)(tokens)
    assert (output.shape, output.dtype) == ((2, 3, 48), dtype)
    output.sum().backward()
    assert tokens.grad is not None
    assert tokens.grad.shape == tokens.shape


def _built(catalog: Catalog, config: dict[str, Any], task: str, **shape: Any) -> nn.Module:
    return build_on_meta(ModelSpec("tiny", config), catalog.tasks[task], StepShape(**shape))


def _quantised_names(model: nn.Module) -> set[str]:
    return {name.split(".")[-1] for name, module in model.named_modules() if isinstance(module, QuantizedLinear)}


def test_output_and_head_stay_as_they_are(catalog: Catalog) -> None:
    llama = _built(catalog, LLAMA, "causal-lm", quantization="nf4")
    assert _quantised_names(llama) == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    bert = _built(catalog, BERT, "sequence-classification", quantization="int8")
    assert type(bert.classifier) is nn.Linear
    assert "query" in _quantised_names(bert)


def test_gpt2_is_quantised_too(catalog: Catalog) -> None:
    attention = _built(catalog, GPT2, "causal-lm", quantization="nf4").transformer.h[0].attn.c_attn
    assert (attention.in_features, attention.out_features) == (64, 192)


def test_nothing_to_quantise_is_said(catalog: Catalog) -> None:
    model = _built(catalog, LLAMA, "causal-lm", quantization="nf4")
    with pytest.raises(ModelError, match="no linear layer"):
        quantize(model, "nf4", compute_dtype=torch.bfloat16)


@pytest.mark.parametrize(
    ("upcast", "norm", "table"),
    [
        ("none", torch.bfloat16, torch.bfloat16),
        ("norms", torch.float32, torch.bfloat16),
        ("all", torch.float32, torch.float32),
    ],
)
def test_upcasting_reaches_what_it_should(catalog: Catalog, upcast: str, norm: torch.dtype, table: torch.dtype) -> None:
    model = _built(catalog, LLAMA, "causal-lm", quantization="nf4", upcast=upcast)
    assert model.model.norm.weight.dtype == norm
    assert model.model.embed_tokens.weight.dtype == table
    assert model.model.layers[0].mlp.up_proj.weight.dtype == torch.uint8


@pytest.mark.parametrize("method", ["lora", "dora", "ia3", "ln-tuning", "p-tuning"])
def test_methods_adapt_a_quantised_base_and_count_its_parameters(catalog: Catalog, method: str) -> None:
    spec, task = catalog.methods[method], catalog.tasks["causal-lm"]
    counts = []
    for layout in (None, "nf4-double", "int8"):
        base = _built(catalog, LLAMA, "causal-lm", quantization=layout)
        wrapped = wrap(base, spec, spec.start(10**8), task, architecture_of(LLAMA, catalog))
        counts.append(count_parameters(wrapped))
        layers = [module for module in wrapped.modules() if isinstance(module, QuantizedLora)]
        assert bool(layers) is (layout is not None and spec.builder == "LORA")
    assert counts[0] == counts[1] == counts[2]
