"""The loss of every row on its own, whatever the task; the model's own loss is their weighted mean.

Shapes: B rows, L tokens, C labels or choices, V vocabulary.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

IGNORED = -100
_TRUE = ("labels", "start_positions", "end_positions")


@dataclass(frozen=True, slots=True)
class RowLosses:
    """What one forward pass says about the rows of a batch.

    Attributes:
        losses: summed over the row's targets, (B,).
        weights: targets of the row, (B,).
        logits: what answers are read from: (B, C), (B, L, C) or, for spans, begin and end together (B, L, 2); of the
            text's own positions.
    """

    losses: Tensor
    weights: Tensor
    logits: Tensor


def row_losses(model: nn.Module, batch: Mapping[str, Tensor]) -> RowLosses:
    """One forward pass.

    Args:
        model: plain or wrapped by peft.
        batch: the model's arguments. Labels are (B,) classes or numbers, (B, C) floats 0 and 1, or (B, L) with -100
            where nothing is to be predicted; those of a decoder are of the same position, as its own loss takes them.
    """
    if "start_positions" in batch:
        return _spans(model, batch)
    labels = batch["labels"]
    encoder_decoder = bool(getattr(model.config, "is_encoder_decoder", False))
    logits = model(**(dict(batch) if encoder_decoder else _without_labels(batch))).logits.float()
    if labels.is_floating_point():
        return _numbers(logits, labels)
    if labels.dim() == 1:
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        return RowLosses(losses, torch.ones_like(losses), logits)
    # Prompt methods put virtual tokens in front: the last L positions are the text's.
    logits = logits[:, -labels.shape[1] :, :]
    shifted = not encoder_decoder and not _tags(model)
    told, true = (logits[:, :-1, :], labels[:, 1:]) if shifted else (logits, labels)
    losses = nn.functional.cross_entropy(told.transpose(1, 2), true, reduction="none", ignore_index=IGNORED)
    return RowLosses(losses.sum(1), (true != IGNORED).sum(1).float(), logits)


def _without_labels(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor for name, tensor in batch.items() if name not in ("labels", "start_positions", "end_positions")
    }


def _numbers(logits: Tensor, labels: Tensor) -> RowLosses:
    """Squared errors, or the binary cross-entropy of each label, averaged over the labels."""
    if labels.dim() == 1:
        losses = (logits.squeeze(-1) - labels) ** 2
    else:
        losses = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1)
    return RowLosses(losses, torch.ones_like(losses), logits)


def _spans(model: nn.Module, batch: Mapping[str, Tensor]) -> RowLosses:
    found = model(**_without_labels(batch))
    length = batch["input_ids"].shape[1]
    logits = torch.stack([found.start_logits, found.end_logits], dim=-1).float()[:, -length:, :]
    true = torch.stack([batch["start_positions"], batch["end_positions"]], dim=-1)
    losses = nn.functional.cross_entropy(logits, true, reduction="none").mean(1)
    return RowLosses(losses, torch.ones_like(losses), logits)


def _tags(model: nn.Module) -> bool:
    inner: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    return type(inner).__name__.endswith("ForTokenClassification")
