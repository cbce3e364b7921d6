"""A module tree of its own over the same frozen tensors."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from autopeft.modeling.heads import head_modules


def clone_sharing_weights(base: PreTrainedModel, *, own_all: bool = False) -> PreTrainedModel:
    """Copy a model's modules in milliseconds while its weights stay shared.

    The copy has parameter objects of its own, frozen, over the same memory: wrapping or freezing it changes
    no flag of the base. What trains, the head, gets memory of its own. Tied weights stay tied. An operation
    *in place* on a shared weight, such as merging an adapter, would reach the base: load a fresh base for
    that.

    Args:
        base: a plain transformers model.
        own_all: copy every parameter's memory too (full fine-tuning).

    Returns:
        The copy, in the same training mode, with all parameters frozen.
    """
    heads = [base.get_submodule(name) for name in head_modules(base)]
    own = {id(parameter) for head in heads for parameter in head.parameters()}
    memo: dict[int, object] = {id(buffer): buffer for buffer in base.buffers()}
    memo |= {id(tensor): tensor for tensor in _quantisation_tensors(base)}
    for parameter in base.parameters():
        if type(parameter) is not nn.Parameter:
            memo[id(parameter)] = _same_kind(parameter)
            continue
        data = parameter.detach()
        if own_all or id(parameter) in own:
            data = data.clone()
        memo[id(parameter)] = nn.Parameter(data, requires_grad=False)
    return copy.deepcopy(base, memo)


def _same_kind(parameter: nn.Parameter) -> object:
    """Another quantised parameter over the same memory: bitsandbytes' kinds carry what undoes their quantisation."""
    kind: Any = type(parameter)
    held = {name: value for name, value in vars(parameter).items() if not name.startswith("_")}
    twin = torch.Tensor._make_subclass(kind, parameter.detach(), False)
    twin.__dict__.update(held)
    return twin


def _quantisation_tensors(base: nn.Module) -> Iterator[torch.Tensor]:
    """Tensors that an 8-bit layer of bitsandbytes keeps outside of its parameters and buffers, in its `state`."""
    for module in base.modules():
        state = module.__dict__.get("state")
        if state is not None and hasattr(state, "__dict__"):
            yield from (value for value in vars(state).values() if isinstance(value, torch.Tensor))
