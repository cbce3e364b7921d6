"""AdapterDrop: the lowest layers have no adapter and get no gradient; what is predicted is what is built."""

import re

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, T5Config, T5ForConditionalGeneration

from autopeft.api.estimate import estimate
from autopeft.catalog import load_catalog
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.wrap import wrap
from autopeft.tuners.houlsby import HoulsbyConfig

CATALOG = load_catalog()
BERT = BertConfig(
    hidden_size=16, intermediate_size=24, num_hidden_layers=4, num_attention_heads=2, vocab_size=30, num_labels=2
)
T5 = T5Config(d_model=16, d_kv=8, d_ff=24, num_layers=2, num_decoder_layers=4, num_heads=2, vocab_size=30)


def layers_with_an_adapter(model: torch.nn.Module) -> list[str]:
    return sorted({name.split(".houlsby_")[0] for name, _ in model.named_parameters() if ".houlsby_" in name})


def wrapped(share: float, config: BertConfig | T5Config) -> torch.nn.Module:
    base = (
        BertForSequenceClassification(config) if isinstance(config, BertConfig) else T5ForConditionalGeneration(config)
    )
    task = CATALOG.task("sequence-classification" if isinstance(config, BertConfig) else "text-to-text")
    method = CATALOG.method("adapterdrop")
    values = method.complete({"dropped_share": share, "bottleneck": 4}, 10_000)
    architecture = architecture_of(config.to_dict(), CATALOG)
    return wrap(base.requires_grad_(False), method, values, task, architecture)


@pytest.mark.parametrize(("share", "first"), [(0.0, 0), (0.2, 0), (0.5, 2), (0.9, 3)])
def test_the_lowest_layers_have_none(share: float, first: int) -> None:
    found = layers_with_an_adapter(wrapped(share, BERT))
    assert found == [f"base_model.model.bert.encoder.layer.{number}.output.dense" for number in range(first, 4)]


def test_encoder_and_decoder_count_by_themselves() -> None:
    found = layers_with_an_adapter(wrapped(0.5, T5))
    places = [re.search(r"(encoder|decoder)\.block\.(\d)", name) for name in found]
    assert [place.groups() for place in places if place] == [("decoder", "2"), ("decoder", "3"), ("encoder", "1")]


def test_no_gradient_reaches_a_dropped_layer() -> None:
    model = wrapped(0.5, BERT).train()
    seen = []
    blocks = model.get_base_model().bert.encoder.layer
    for number, block in enumerate(blocks):
        block.output.register_forward_hook(lambda _, __, out, n=number: seen.append((n, out.requires_grad)))
    model(input_ids=torch.arange(8).view(2, 4), labels=torch.tensor([0, 1])).loss.backward()
    assert seen == [(0, False), (1, False), (2, True), (3, True)]


def test_the_estimate_knows_that_layers_differ() -> None:
    """A shallow trace cannot tell: the whole depth has to be traced."""
    half, all_layers = (
        estimate("bert-base-uncased", "adapterdrop", hyperparameters={"dropped_share": share}, batch_size=8)
        for share in (0.5, 0.0)
    )
    assert half.adapter_parameters * 2 == all_layers.adapter_parameters
    assert half.components_bytes["activations"] < 0.75 * all_layers.components_bytes["activations"]


def test_a_share_of_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="dropped_share is 1"):
        HoulsbyConfig(target_modules=["a"], dropped_share=1)
