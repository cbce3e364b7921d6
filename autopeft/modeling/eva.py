"""EVA's start of LoRA: the input factors become the principal directions of each layer's inputs on real rows.

Source: arXiv:2410.07170. Choices: the directions are of the first micro-batch alone, where the paper goes on until
they settle; every matrix keeps its rank, where the paper hands ranks out by explained variance (the optimizer exists
by then, and predicted memory would no longer be what is trained). As in peft, inputs are centred (tuners/lora/eva.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from peft.tuners.lora import LoraModel
from peft.tuners.lora.layer import LoraLayer
from torch import Tensor

Batch = Mapping[str, Tensor]


def starts_from_inputs(tuner: object) -> bool:
    """Whether a tuner is LoRA with EVA's start."""
    if not isinstance(tuner, LoraModel):
        return False
    config = tuner.peft_config[tuner.active_adapters[0]]
    return bool(config.init_lora_weights == "eva")


def start_from_inputs(tuner: LoraModel, loss_of: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> None:
    """Run the first micro-batch and set each layer's input factor as its inputs come by.

    The output factors are zero, so what the layers compute does not change on the way.

    Args:
        tuner: with EVA's start.
        loss_of: of a batch.
        batches: of the first step.
    """
    name = tuner.active_adapters[0]
    layers = [module for module in tuner.model.modules() if isinstance(module, LoraLayer) and name in module.lora_A]
    hooks = [layer.register_forward_pre_hook(_setter(name)) for layer in layers]
    try:
        with torch.no_grad():
            loss_of(batches[0])
    finally:
        for hook in hooks:
            hook.remove()


def _setter(name: str) -> Callable[[Any, tuple[Any, ...]], None]:
    def set_factor(layer: LoraLayer, inputs: tuple[Any, ...]) -> None:
        factor = layer.lora_A[name].weight
        factor.copy_(principal_directions(inputs[0], factor))

    return set_factor


def principal_directions(inputs: Tensor, fallback: Tensor) -> Tensor:
    """The first principal directions of some vectors, orthonormal rows; signs are made the same everywhere.

    Args:
        inputs: ... x features.
        fallback: rank x features; its rows stay where there are fewer directions than the rank.

    Returns:
        rank x features.
    """
    rows = inputs.detach().reshape(-1, inputs.shape[-1]).float()
    _, _, directions = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    found = directions[: len(fallback)]
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return torch.cat([found * largest.sign(), fallback[len(found) :].float()]).to(fallback.dtype)
