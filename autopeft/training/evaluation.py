"""Losses and answers of a model on given rows, example by example."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autopeft.domain.evaluation import Evaluation
from autopeft.modeling.sharded import let_go
from autopeft.training.answers import AnswerReader
from autopeft.training.ranks import Ranks
from autopeft.training.row_losses import row_losses

_Row = tuple[float, float, Any, Any]


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Sequence[int], Mapping[str, Tensor]]],
    *,
    autocast: torch.dtype | None,
    device: torch.device,
    reader: AnswerReader | None = None,
    ranks: Ranks | None = None,
) -> Evaluation:
    """Run `model` in eval mode over (row numbers, batch) pairs; rows come back in ascending order.

    Args:
        model: plain or wrapped by peft.
        batches: row numbers and the model's arguments, as `row_losses` takes them.
        autocast: dtype of matrix products, or None for the weights' own.
        device: where the model is.
        reader: of true and predicted answers; None gives losses, and classes where the labels are classes.
        ranks: the processes that evaluate together, each some of the batches; all get the whole answer.
    """
    was_training = model.training
    model.eval()
    parts: dict[int, _Row] = {}
    for rows, batch in batches:
        moved = {name: tensor.to(device) for name, tensor in batch.items()}
        with torch.autocast(device.type, dtype=autocast or torch.bfloat16, enabled=autocast is not None):
            found = row_losses(model, moved)
            answers = _classes(moved, found.logits) if reader is None else reader.read(model, rows, found.logits)
        columns = (found.losses.tolist(), found.weights.tolist(), *answers)
        parts |= dict(zip(map(int, rows), zip(*columns, strict=True), strict=True))
    let_go(model)
    model.train(was_training)
    return _gather(parts if ranks is None else _of_all(ranks, parts), reader)


def _of_all(ranks: Ranks, parts: Mapping[int, _Row]) -> dict[int, _Row]:
    return {
        row: (loss, weight, *map(_tuples, answers)) for row, (loss, weight, *answers) in ranks.merged(parts).items()
    }


def _tuples(value: Any) -> Any:
    """Lists are of the way that rows travelled."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _classes(batch: Mapping[str, Tensor], logits: Tensor) -> tuple[list[Any], list[Any]]:
    labels = batch.get("labels")
    if labels is None or labels.dim() > 1 or labels.is_floating_point():
        none = [None] * len(batch["input_ids"])
        return none, none
    return labels.tolist(), logits.argmax(-1).tolist()


def _gather(parts: Mapping[int, _Row], reader: AnswerReader | None) -> Evaluation:
    order = sorted(parts)
    rows = [parts[row] for row in order]
    answered = [row for row in rows if row[2] is not None]
    labels, predictions = tuple(row[2] for row in answered), tuple(row[3] for row in answered)
    return Evaluation(
        row_losses=tuple(row[0] for row in rows),
        row_weights=tuple(row[1] for row in rows),
        predictions=predictions,
        labels=labels,
        row_bytes=() if reader is None else reader.row_bytes(order),
        answer_scores=() if reader is None or not answered else reader.scores(labels, predictions),
    )
