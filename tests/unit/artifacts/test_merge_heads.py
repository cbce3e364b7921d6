"""A trained head of several layers comes out of a merge as well as one of a single layer does."""

import pytest
import torch
from peft.utils import AuxiliaryTrainingWrapper
from transformers import RobertaConfig, RobertaForSequenceClassification

from autopeft.artifacts.merge import agreement, check_agreement, merged, outputs
from autopeft.catalog.load import load_catalog
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.wrap import wrap


@pytest.mark.parametrize("method_id", ["bitfit", "oft", "lora"])
def test_it_answers_as_before(method_id: str) -> None:
    torch.manual_seed(0)
    catalog = load_catalog()
    config = RobertaConfig(
        vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=3
    )
    base = RobertaForSequenceClassification(config).requires_grad_(False)
    method, task = catalog.methods[method_id], catalog.tasks["sequence-classification"]
    architecture = architecture_of({"model_type": "roberta"}, catalog)
    model = wrap(base, method, method.start(10**5), task, architecture, head_seed=1)
    batch = {"input_ids": torch.arange(4, 28).reshape(4, 6), "labels": torch.tensor([0, 1, 2, 0])}
    for _ in range(2):
        training_step(model, [batch], build_optimizer(model, method.start(10**5)))
    before = outputs(model.eval(), [batch])
    plain = merged(model, method).eval()
    assert not any(isinstance(module, AuxiliaryTrainingWrapper) for module in plain.modules())
    check_agreement(agreement(before, outputs(plain, [batch])))
