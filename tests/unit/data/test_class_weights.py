import pytest
import torch

from autopeft.data.class_weights import balanced_weights
from autopeft.errors import UsageError
from autopeft.modeling.training_hooks import ROW_WEIGHTS, loss_of


def test_every_class_counts_the_same_in_all() -> None:
    counts = {"rare": 5, "common": 45, "absent": 0}
    weights = balanced_weights(counts)
    assert weights[0] * 5 == pytest.approx(weights[1] * 45)
    assert (weights[0] * 5 + weights[1] * 45) / 50 == pytest.approx(1.0)
    assert weights[2] == 1.0


def test_rows_without_a_class_have_no_weights() -> None:
    with pytest.raises(UsageError, match="one class a row"):
        balanced_weights(None)


def test_the_loss_is_the_mean_of_weighted_losses() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=3
    )
    model = BertForSequenceClassification(config).eval()
    batch = {"input_ids": torch.randint(20, (6, 4)), "labels": torch.tensor([0, 1, 2, 0, 0, 1])}
    weights = torch.tensor([0.5, 1.0, 3.0])
    rows = weights[batch["labels"]]
    expected = torch.nn.functional.cross_entropy(
        model(input_ids=batch["input_ids"]).logits, batch["labels"], weights, reduction="sum"
    )
    assert loss_of(model, batch | {ROW_WEIGHTS: rows}).item() == pytest.approx(expected.item() / 6, rel=1e-5)
    assert loss_of(model, batch | {ROW_WEIGHTS: torch.ones(6)}).item() == pytest.approx(
        loss_of(model, batch).item(), rel=1e-5
    )
