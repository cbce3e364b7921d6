"""A batch of the right shapes without content."""

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
