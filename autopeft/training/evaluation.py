"""Loss and predictions of a model on given rows, example by example.

Shapes: B rows, L tokens, C labels, V vocabulary.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from autopeft.domain.evaluation import Evaluation

IGNORED = -100
_Part = tuple[Tensor, Tensor, Tensor, Tensor]


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Sequence[int], Mapping[str, Tensor]]],
    *,
    autocast: torch.dtype | None,
    device: torch.device,
) -> Evaluation:
    """Run `model` in eval mode over (row numbers, batch) pairs; rows come back in ascending order.

    A batch holds `labels`: (B,) classes, or (B, L) tokens with -100 where nothing is to be predicted. Token
    labels of a decoder-only model are those of the same position (shifted here, as its own loss does).
    """
    was_training = model.training
    model.eval()
    parts: dict[int, tuple[float, float, int, int]] = {}
    for rows, batch in batches:
        moved = {name: tensor.to(device) for name, tensor in batch.items()}
        with torch.autocast(device.type, dtype=autocast or torch.bfloat16, enabled=autocast is not None):
            columns = [column.tolist() for column in _batch(model, moved)]
        parts |= dict(zip(map(int, rows), zip(*columns, strict=True), strict=True))
    model.train(was_training)
    return _gather([parts[row] for row in sorted(parts)])


def _batch(model: nn.Module, batch: Mapping[str, Tensor]) -> _Part:
    """Per row: summed loss, number of targets, predicted and true label (-1 for language models); each (B,)."""
    labels = batch["labels"]
    encoder_decoder = bool(getattr(model.config, "is_encoder_decoder", False))
    inputs = dict(batch) if encoder_decoder else {name: t for name, t in batch.items() if name != "labels"}
    logits = model(**inputs).logits.float()
    if labels.dim() == 1:
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        return losses, torch.ones_like(losses), logits.argmax(-1), labels
    # Prompt methods put virtual tokens in front: the last L positions are the text's.
    logits = logits[:, -labels.shape[1] :, :]
    if not encoder_decoder:
        logits, labels = logits[:, :-1, :], labels[:, 1:]
    losses = nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=IGNORED)
    none = torch.full((labels.shape[0],), -1)
    return losses.sum(1), (labels != IGNORED).sum(1).float(), none, none


def _gather(rows: list[tuple[float, float, int, int]]) -> Evaluation:
    classes = [row for row in rows if row[3] >= 0]
    return Evaluation(
        row_losses=tuple(row[0] for row in rows),
        row_weights=tuple(row[1] for row in rows),
        predictions=tuple(row[2] for row in classes),
        labels=tuple(row[3] for row in classes),
    )
