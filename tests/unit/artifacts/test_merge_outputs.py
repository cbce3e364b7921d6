"""What a merged model is compared by, where it has no logits of that name."""

import torch
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertForQuestionAnswering

from autopeft.artifacts.merge import agreement, check_agreement, merged, outputs
from autopeft.catalog.load import load_catalog


def test_a_reader_of_spans_is_compared_by_where_they_begin_and_end() -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    adapter = LoraConfig(target_modules=["query"], modules_to_save=["qa_outputs"], init_lora_weights=False)
    model = get_peft_model(BertForQuestionAnswering(config), adapter).eval()
    batches = [{"input_ids": torch.arange(2, 14).reshape(2, 6)}]
    before = outputs(model, batches)
    assert before[0].shape == (2, 6, 2)
    plain = merged(model, load_catalog().method("lora"))
    found = agreement(before, outputs(plain, batches))
    check_agreement(found)
    assert found.rows == 2 and found.same_choices == 1
    with torch.no_grad():
        plain.qa_outputs.bias += torch.tensor([0.0, 1.0])
    assert agreement(before, outputs(plain, batches)).greatest_difference > 0.9
