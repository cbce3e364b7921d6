"""What a frozen classifier sees: computed once, for the head-only baseline and the linear probe.

Shapes: B rows, L tokens, D hidden size.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from autopeft.domain.models import Kind
from autopeft.modeling.heads import head_modules
from autopeft.training.worker import Worker


@dataclass(frozen=True, slots=True)
class Features:
    """Of some rows, in ascending order of their numbers.

    Attributes:
        head_inputs: what the task head is given, (rows, D).
        mean_pooled: the last hidden states, averaged over the row's tokens, (rows, D).
    """

    head_inputs: np.ndarray
    mean_pooled: np.ndarray


@torch.no_grad()
def frozen_features(worker: Worker, split: str, rows: np.ndarray | None = None) -> Features:
    """One forward pass of the base over `rows` of a split (by default all)."""
    base = worker.base.eval()
    head = base.get_submodule(head_modules(base)[0])
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    try:
        for numbers, batch in worker.evaluation(split, rows):
            seen.clear()
            pooled = _mean_pooled(worker, base, batch)
            inputs = _per_row(seen[0], batch["attention_mask"].to(worker.device), worker.architecture.kind)
            found |= dict(zip(numbers, zip(_numpy(inputs), _numpy(pooled), strict=True), strict=True))
    finally:
        handle.remove()
    ordered = [found[row] for row in sorted(found)]
    return Features(np.stack([pair[0] for pair in ordered]), np.stack([pair[1] for pair in ordered]))


def _mean_pooled(worker: Worker, base: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Run the whole model; (B, D)."""
    inputs = {name: tensor.to(worker.device) for name, tensor in batch.items() if name != "labels"}
    with torch.autocast(worker.device.type, dtype=worker.autocast or torch.bfloat16, enabled=bool(worker.autocast)):
        hidden = base(**inputs, output_hidden_states=True).hidden_states[-1].float()
    mask = inputs["attention_mask"].unsqueeze(-1).float()
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)


def _per_row(inputs: Tensor, mask: Tensor, kind: Kind) -> Tensor:
    """The head's input of each row: as it is, or that of the token it reads where it is given every token.

    Encoders' heads (RoBERTa, ELECTRA) read the first token, decoders' the last one.
    """
    if inputs.dim() == 2:
        return inputs.float()
    if kind == "encoder":
        return inputs[:, 0].float()
    last = mask.sum(1) - 1
    return inputs[torch.arange(inputs.shape[0], device=inputs.device), last].float()


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
