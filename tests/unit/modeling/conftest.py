"""Tiny base models of each family, on disk as pretraining leaves them."""

from pathlib import Path

import pytest
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)

from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog
from autopeft.modeling.quiet import quiet_transformers


def _tiny(family: str) -> PreTrainedModel:
    set_seed(11)
    if family == "bert":
        return BertModel(
            BertConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                vocab_size=64,
                max_position_embeddings=32,
            )
        )
    if family == "llama":
        return LlamaModel(
            LlamaConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                vocab_size=64,
                tie_word_embeddings=True,
                eos_token_id=[1, 2],
            )
        )
    return T5ForConditionalGeneration(
        T5Config(d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=4, vocab_size=64, decoder_start_token_id=0)
    )


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tiny")
    with quiet_transformers():
        for family in ("bert", "llama", "t5"):
            _tiny(family).save_pretrained(root / family)
    return {family: root / family for family in ("bert", "llama", "t5")}
