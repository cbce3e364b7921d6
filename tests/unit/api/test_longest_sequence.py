"""The longest text that a model takes is read off its config, in tokens that a user can really give."""

from typing import Any

import pytest

from autopeft.api.request import longest_sequence
from autopeft.catalog.load import load_catalog
from autopeft.domain.models import ModelSpec
from autopeft.modeling.architecture import architecture_of


@pytest.mark.parametrize(
    ("config", "longest"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, 512),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ({"model_type": "bart", "max_position_embeddings": 1024}, 1024),
        # Relative positions: the number in old configs bounds nothing.
        ({"model_type": "t5", "n_positions": 512}, 2**20),
    ],
    ids=lambda one: one["model_type"] if isinstance(one, dict) else str(one),
)
def test_longest_sequence(config: dict[str, Any], longest: int) -> None:
    catalog = load_catalog()
    assert longest_sequence(ModelSpec("one", config), architecture_of(config, catalog)) == longest
