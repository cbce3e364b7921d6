"""A batch of the right shapes without content."""

from dataclasses import replace

import torch
from torch import Tensor

from autopeft.domain.memory import StepShape
from autopeft.domain.tasks import TaskSpec


def empty_batch(task: TaskSpec, shape: StepShape, device: str = "meta") -> dict[str, Tensor]:
    """What the data loader would hand to the model, full of zeros.

    Shapes: `input_ids` and `attention_mask` (batch, length), int64; `labels` (batch,) for a classification,
    (batch, length) for a causal and (batch, target length) for a text-to-text model.
    """
    tokens = (shape.batch_size, shape.max_length)
    labels = {
        "sequence-classification": (shape.batch_size,),
        "causal-lm": tokens,
        "seq2seq-lm": (shape.batch_size, shape.target_length),
    }[task.head]
    shapes = {"input_ids": tokens, "attention_mask": tokens, "labels": labels}
    return {name: torch.zeros(size, dtype=torch.long, device=device) for name, size in shapes.items()}


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
