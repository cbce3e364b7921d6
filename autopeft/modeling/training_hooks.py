"""What a method does in training beyond its forward pass: one protocol, called by the one training step.

A tuner (peft's `BaseTuner`, the `base_model` of a wrapped model) may have any of these methods:

    start_from_data(loss_of, batches)     once, before the first update: choose from gradients on real rows
    training_loss(run, batch)             in the place of the model's own loss; `run()` is one forward pass
    after_update(step, total_steps)       after each optimizer step, numbered from 1; gradients still exist

and its layers may name in `changing_buffers` the buffer containers that these change, for checkpoints. For EVA's
start of peft's own LoRA, `modeling.eva` stands in.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from autopeft.modeling.eva import start_from_inputs, starts_from_inputs

Batch = Mapping[str, Tensor]
# In a batch: what each row counts in the loss of a classification, (rows,).
ROW_WEIGHTS = "row_weights"
_STARTED = "autopeft_started_from_data"


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    """The loss that training minimises on a micro-batch: the model's own, or what the method makes of it.

    Args:
        model: plain or wrapped by peft.
        batch: the model's arguments, with labels.
    """
    own = _hook(model, "training_loss")
    loss: Tensor = _run(model, batch).loss if own is None else own(lambda: _run(model, batch), batch)
    return loss


def _run(model: nn.Module, batch: Batch) -> Any:
    """The model's output; where rows are weighted, with the mean of their weighted losses for its loss."""
    arguments = {name: tensor for name, tensor in batch.items() if name != ROW_WEIGHTS}
    output = model(**arguments)
    if ROW_WEIGHTS in batch:
        losses = nn.functional.cross_entropy(output.logits.float(), batch["labels"], reduction="none")
        output.loss = (losses * batch[ROW_WEIGHTS]).mean()
    return output


def start_from_data(model: nn.Module, batches: Sequence[Batch]) -> None:
    """Let the method choose from real rows, if it does so and has not yet; gradients are left empty.

    Args:
        model: plain or wrapped by peft.
        batches: the micro-batches of the first step.
    """
    own = _hook(model, "start_from_data")
    if own is None or getattr(model, _STARTED, False):
        return
    own(lambda batch: _run(model, batch).loss, batches)
    model.zero_grad(set_to_none=True)
    mark_started(model)


def mark_started(model: nn.Module) -> None:
    """Note that the method has made its choice already: a checkpoint holds it."""
    setattr(model, _STARTED, True)


def after_update(model: nn.Module, step: int, total_steps: int) -> None:
    """Let the method act on its schedule.

    Args:
        model: plain or wrapped by peft.
        step: updates made so far, from 1.
        total_steps: updates of the whole training.
    """
    own = _hook(model, "after_update")
    if own is not None:
        with torch.no_grad():
            own(step, total_steps)


def changing_buffers(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that a method changes while it trains, by name; with the trained parameters they are its state."""
    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, BaseTunerLayer):
            for container in getattr(layer, "changing_buffers", ()):
                for adapter, buffer in getattr(layer, container).items():
                    found[f"{name}.{container}.{adapter}"] = buffer
    return found


def _hook(model: nn.Module, name: str) -> Callable[..., Any] | None:
    # Asked of the class: an instance passes unknown names on to the model within.
    tuner = model.base_model if isinstance(model, PeftModel) else None
    if name == "start_from_data" and starts_from_inputs(tuner):
        return partial(start_from_inputs, tuner)
    found: Callable[..., Any] | None = getattr(tuner, name) if hasattr(type(tuner), name) else None
    return found
