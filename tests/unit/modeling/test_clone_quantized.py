"""A clone of a quantised base keeps the parameters' own class and what undoes their quantisation, without copying."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from autopeft.modeling.clone import clone_sharing_weights


class Quantised(nn.Parameter):
    """As bitsandbytes' are: whole numbers with a scale beside them."""

    def __new__(cls, data: torch.Tensor, scale: torch.Tensor) -> "Quantised":
        made = torch.Tensor._make_subclass(cls, data, False)
        made.scale = scale
        return made


def quantised_base() -> BertForSequenceClassification:
    torch.manual_seed(0)
    config = BertConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=9)
    base = BertForSequenceClassification(config).requires_grad_(False)
    query = base.bert.encoder.layer[0].attention.self.query
    query.weight = Quantised(torch.ones(8, 8, dtype=torch.int8), torch.full((8,), 0.5))
    query.state = SimpleNamespace(kept=torch.ones(8, 8, dtype=torch.int8))
    return base


def test_class_scale_and_memory_are_kept() -> None:
    base = quantised_base()
    clone = clone_sharing_weights(base)
    own = base.bert.encoder.layer[0].attention.self.query
    twin = clone.bert.encoder.layer[0].attention.self.query
    assert type(twin.weight) is Quantised and twin.weight is not own.weight
    assert twin.weight.scale is own.weight.scale
    assert twin.weight.data_ptr() == own.weight.data_ptr()
    assert twin.state is not own.state and twin.state.kept is own.state.kept
    # Changing one's bookkeeping, as the first forward pass of an 8-bit layer does, leaves the other's.
    twin.weight.scale = None
    assert own.weight.scale is not None


@pytest.mark.parametrize("bits", [4, 8])
def test_bitsandbytes_own_parameters_survive(bits: int) -> None:
    bnb = pytest.importorskip("bitsandbytes")
    base = quantised_base()
    made = bnb.nn.Linear4bit(8, 8) if bits == 4 else bnb.nn.Linear8bitLt(8, 8, has_fp16_weights=False)
    base.bert.encoder.layer[0].attention.self.query = made.requires_grad_(False).to("cpu")
    clone = clone_sharing_weights(base)
    assert type(clone.bert.encoder.layer[0].attention.self.query.weight) is type(made.weight)
