"""Virtual tokens and the text share the positions that a model has learned: what does not fit is refused by number."""

from typing import Any

import pytest

from autopeft.catalog.contents import Catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.memory.estimate import TracingEstimator

PLACES = 32
DECODER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("causal-lm", {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": PLACES}),
    "roberta": ("sequence-classification", DECODER | {"max_position_embeddings": PLACES + 2, "pad_token_id": 1}),
    "bert": ("sequence-classification", DECODER | {"max_position_embeddings": PLACES}),
    "llama": ("causal-lm", DECODER | {"max_position_embeddings": PLACES}),
}


def estimate(catalog: Catalog, model_type: str, method: str, tokens: int, max_length: int) -> int:
    task, config = CONFIGS[model_type]
    spec = catalog.methods[method]
    model = ModelSpec("tiny", {"model_type": model_type, "vocab_size": 90} | config)
    shape = StepShape(batch_size=2, max_length=max_length, dtype="float32")
    start = spec.start(10**5) | {"virtual_tokens": tokens}
    return TracingEstimator(catalog, cache=False)(model, catalog.tasks[task], spec, start, shape).peak_bytes


@pytest.mark.parametrize("model_type", ["gpt2", "roberta", "bert"])
def test_a_prompt_and_the_text_may_fill_the_positions_but_not_exceed_them(catalog: Catalog, model_type: str) -> None:
    assert estimate(catalog, model_type, "prompt-tuning", 8, PLACES - 8) > 0
    with pytest.raises(ModelError) as refused:
        estimate(catalog, model_type, "prompt-tuning", 8, PLACES - 7)
    assert refused.value.hint == f"use at most {PLACES - 8} tokens of text"


def test_a_prefix_takes_positions_too_and_rotary_ones_have_no_end(catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="exceed the model's 32 positions"):
        estimate(catalog, "gpt2", "prefix-tuning", 8, PLACES)
    assert estimate(catalog, "llama", "prompt-tuning", 8, PLACES) > 0
