from typing import Any

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.memory.pricing import BaseModels, Pricing
from autopeft.modeling.architecture import architecture_of

CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 176,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "vocab_size": 512,
        "tie_word_embeddings": True,
    },
    "bert": {
        "model_type": "bert",
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "vocab_size": 512,
    },
    "t5": {
        "model_type": "t5",
        "d_model": 64,
        "d_ff": 128,
        "d_kv": 16,
        "num_heads": 4,
        "num_layers": 6,
        "num_decoder_layers": 6,
        "vocab_size": 512,
        "feed_forward_proj": "gated-gelu",
        "decoder_start_token_id": 0,
    },
}
TASKS = {"llama": "causal-lm", "bert": "sequence-classification", "t5": "text-to-text"}
SHAPE = StepShape(batch_size=4, max_length=64, target_length=32, dtype="bfloat16")


class Tiny:
    """Pricings of tiny models."""

    def __init__(self) -> None:
        self.catalog = load_catalog()
        self._bases = BaseModels()

    def model(self, kind: str, **changes: Any) -> ModelSpec:
        return ModelSpec(f"tiny-{kind}", CONFIGS[kind] | changes)

    def pricing(
        self,
        kind: str,
        method: str,
        shape: StepShape = SHAPE,
        given: Hyperparameters | None = None,
        task: str | None = None,
        **options: Any,
    ) -> Pricing:
        model = self.model(kind)
        spec = self.catalog.method(method)
        return Pricing(
            model,
            self.catalog.tasks[task or TASKS[kind]],
            spec,
            spec.complete(given or {}, 10**8),
            shape,
            architecture_of(model.config, self.catalog),
            bases=self._bases,
            **options,
        )


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    return Tiny()
