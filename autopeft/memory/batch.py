"""A batch of the right shapes without content."""

from dataclasses import replace

import torch
from torch import Tensor

from autopeft.domain.memory import StepShape
from autopeft.domain.tasks import TaskSpec

# Their labels are floats: a number, or 0 and 1 for each of several labels.
_FRACTIONAL = ("regression", "multi-label")


def empty_batch(task: TaskSpec, shape: StepShape, device: str = "meta") -> dict[str, Tensor]:
    """What the data loader would hand to the model, full of zeros.

    Shapes: `input_ids` and `attention_mask` (batch, length), int64, or for a multiple choice (batch, choices, length)
    with as many choices as `num_labels` says; `labels` (batch,) for one answer a row, (batch, labels) for several,
    (batch, length) for one a token, and (batch, target length) for a text-to-text model; `start_positions` and
    `end_positions` (batch,) for question answering.
    """
    tokens: tuple[int, ...] = (shape.batch_size, shape.max_length)
    if task.head == "multiple-choice":
        tokens = (shape.batch_size, shape.num_labels, shape.max_length)
    shapes = {"input_ids": tokens, "attention_mask": tokens} | _label_shapes(task, shape)
    batch = {name: torch.zeros(size, dtype=torch.long, device=device) for name, size in shapes.items()}
    if task.objective in _FRACTIONAL:
        batch["labels"] = batch["labels"].float()
    return batch


def _label_shapes(task: TaskSpec, shape: StepShape) -> dict[str, tuple[int, ...]]:
    rows = (shape.batch_size,)
    if task.head == "question-answering":
        return {"start_positions": rows, "end_positions": rows}
    if task.objective == "multi-label":
        return {"labels": (shape.batch_size, shape.num_labels)}
    if task.head in ("causal-lm", "token-classification"):
        return {"labels": (shape.batch_size, shape.max_length)}
    return {"labels": (shape.batch_size, shape.target_length) if task.head == "seq2seq-lm" else rows}


def label_count(task: TaskSpec, shape: StepShape, vocabulary: int) -> int:
    """Labels of a batch are below this: classes, positions in the text, or tokens of the vocabulary."""
    if task.head == "question-answering":
        return shape.max_length
    if task.objective in _FRACTIONAL:
        return 2
    return vocabulary if task.head in ("causal-lm", "seq2seq-lm") else shape.num_labels


def shape_of_first_batch(shape: StepShape) -> StepShape:
    """The shape of the batch in whose step the optimizer's state is made: a twentieth shorter than the longest.

    Batches differ in length. Were the first as long as the longest, blocks of activations and of optimizer state could
    have the same size by chance (3072 tokens and 3072 features, say), and a replay of the allocator would find almost
    no fragmentation. The share is fitted on one measured row, full fine-tuning in
    `search_spaces/evidence/peft_metamath_measured.csv`; where little is trained it changes next to nothing.
    """
    return replace(shape, max_length=_shortened(shape.max_length), target_length=_shortened(shape.target_length))


def _shortened(length: int) -> int:
    return max(1, length * 19 // 20)
