"""Where the head of every run starts: at the linear probe, so that the adapter begins with a head that fits.

Linear probing, then fine-tuning (Kumar et al. 2022, arXiv:2202.10054): features are not torn by a random head.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from autopeft.modeling.heads import head_modules
from autopeft.training.worker import Worker


def linear_head(worker: Worker) -> nn.Linear | None:
    """The base's head where it is a single linear layer over the classes, else None."""
    heads = head_modules(worker.base)
    head = worker.base.get_submodule(heads[0]) if len(heads) == 1 else None
    return head if isinstance(head, nn.Linear) else None


def with_head_start(worker: Worker, state: Mapping[str, Tensor]) -> Worker:
    """The worker whose runs start from this head.

    Args:
        worker: with a linear head.
        state: `weight` (classes, width) and `bias` (classes,); the bias is left out by heads without one.
    """
    head = linear_head(worker)
    if head is None:
        raise ValueError("the head is not a single linear layer")
    with torch.no_grad():
        head.weight.copy_(state["weight"])
        if head.bias is not None:
            head.bias.copy_(state["bias"])
    return replace(worker, draws_head=False)
