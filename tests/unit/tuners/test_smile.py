"""SMILE's layer against the paper's formula, and a mixture that has to equal what it was made of."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import BertConfig, BertForSequenceClassification
from transformers.pytorch_utils import Conv1D

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.artifacts.fuse import Expert, check_one_base, expert_of, fuse
from autopeft.errors import InputError, UsageError
from autopeft.tuners.smile import SmileConfig, SmileLayer

EXPERTS, RANK, GATE = 3, 2, 2
BATCH = {"input_ids": torch.arange(2, 14).view(3, 4)}
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 30}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.conv = nn.Linear(7, 5), Conv1D(5, 7)


@pytest.mark.parametrize("name", ["linear", "conv"])
@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_each_token_takes_the_experts_it_lies_closest_to(name: str, top_k: int) -> None:
    torch.manual_seed(top_k)
    config = SmileConfig(target_modules=[name], experts=EXPERTS, rank=RANK, gate_rank=GATE, top_k=top_k)
    layer = getattr(get_peft_model(Net(), config).base_model.model, name)
    assert isinstance(layer, SmileLayer)
    differences = [torch.randn(5, RANK) @ torch.randn(RANK, 7) for _ in range(EXPERTS)]
    biases = [torch.randn(5) for _ in range(EXPERTS)]
    layer.fill("default", differences, biases)
    x = torch.randn(2, 4, 7)
    expected = layer.base_layer(x).clone()
    for row in range(2):
        for token in range(4):
            one = x[row, token]
            norms = torch.stack(
                [(torch.linalg.svd(d, full_matrices=False)[2][:GATE] @ one).norm() for d in differences]
            )
            shares = norms.softmax(0)
            chosen = shares.argsort(descending=True)[:top_k]
            for place in chosen.tolist():
                weight = shares[place] / shares[chosen].sum()
                expected[row, token] += weight * (differences[place] @ one + biases[place])
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def bert(labels: int = 2) -> BertForSequenceClassification:
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SIZES, num_labels=labels))
    return model.requires_grad_(False).eval()


def tuned(seed: int, targets: list[str], labels: int = 2) -> nn.Module:
    """A base with a LoRA of random weights merged into it, and a head of its own."""
    model = get_peft_model(bert(labels), LoraConfig(r=3, target_modules=targets))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.2)
        merged = model.merge_and_unload()
        merged.classifier.weight.normal_()
    return merged.eval()


def test_a_mixture_of_one_and_the_same_adapter_is_that_adapter(tmp_path: Path) -> None:
    own = tuned(1, ["query", "dense"])
    expert = expert_of("a", bert(), own)
    fused = fuse(bert(), [expert, expert], 0, rank=8, gate_rank=4, top_k=1)
    expected = own(**BATCH).logits
    torch.testing.assert_close(fused(**BATCH).logits, expected, atol=1e-5, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    fused.save_pretrained(str(tmp_path))
    again = PeftModel.from_pretrained(bert(), str(tmp_path)).eval()
    assert torch.equal(again(**BATCH).logits, fused(**BATCH).logits)
    with fused.disable_adapter():
        assert torch.equal(fused(**BATCH).logits, bert()(**BATCH).logits)


def test_each_head_goes_with_all_experts_and_less_rank_loses_more() -> None:
    first, second = tuned(1, ["query"]), tuned(2, ["value"], labels=4)
    experts = [expert_of("a", bert(), first), expert_of("b", bert(4), second)]
    assert experts[0].modules.isdisjoint(experts[1].modules)
    mixture = fuse(bert(4), experts, 1, rank=3, gate_rank=3, top_k=2)
    assert mixture(**BATCH).logits.shape == (3, 4)
    expert = experts[0]
    errors = [
        (fuse(bert(), [expert, expert], 0, rank=rank, gate_rank=1, top_k=1)(**BATCH).logits - first(**BATCH).logits)
        .abs()
        .max()
        .item()
        for rank in (1, 2, 3)
    ]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-5


def test_what_no_expert_can_hold_is_refused() -> None:
    changed = bert()
    with torch.no_grad():
        changed.bert.encoder.layer[0].output.LayerNorm.weight.add_(1)
    with pytest.raises(UsageError, match=r"a changed .*LayerNorm.*linear layers only"):
        expert_of("a", bert(), changed)
    with pytest.raises(InputError, match="nothing but its head"):
        expert_of("a", bert(), bert())
    other = bert()
    with torch.no_grad():
        other.bert.embeddings.word_embeddings.weight.add_(1)
    with pytest.raises(InputError, match="a and b were trained on different bases"):
        check_one_base(["a", "b"], [bert(), other])
    check_one_base(["a", "b"], [bert(), bert(4)])
    nothing = Expert("a", {}, {}, {})
    with pytest.raises(UsageError, match="top_k is 3"):
        fuse(bert(), [nothing, nothing], 0, rank=1, gate_rank=1, top_k=3)
