"""Finished adapters of one base as the low-rank experts of one model, without training (SMILE, arXiv:2408.10174)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel, get_peft_model
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from autopeft.errors import InputError, UsageError
from autopeft.modeling.heads import head_modules
from autopeft.tuners.linear_delta import LINEAR_TYPES
from autopeft.tuners.smile import SmileConfig

_ADAPTER = "default"


@dataclass(frozen=True, slots=True)
class Expert:
    """What one run's adapter changed, and the head that it trained.

    Attributes:
        name: of the run, for people.
        weights: module name -> difference of its weight, out x in; those that changed.
        biases: module name -> difference of its bias, likewise.
        head: parameter name -> value, of the task head.
    """

    name: str
    weights: Mapping[str, Tensor]
    biases: Mapping[str, Tensor]
    head: Mapping[str, Tensor]

    @property
    def modules(self) -> set[str]:
        """Names of the modules that changed."""
        return {*self.weights, *self.biases}


@torch.no_grad()
def expert_of(name: str, base: PreTrainedModel, merged: nn.Module) -> Expert:
    """The difference between a base and what became of it.

    Args:
        name: for messages.
        base: as pretrained.
        merged: the same architecture with the adapter in its weights.

    Raises:
        UsageError: something else than linear layers changed, which no expert can hold.
        InputError: nothing changed.
    """
    heads = tuple(f"{head}." for head in head_modules(base))
    before, after = dict(base.named_parameters()), dict(merged.named_parameters())
    weights: dict[str, Tensor] = {}
    biases: dict[str, Tensor] = {}
    head: dict[str, Tensor] = {}
    for key, value in after.items():
        if heads and key.startswith(heads):
            head[key] = value.detach().clone()
            continue
        difference = value.detach().float() - before[key].detach().float()
        if not difference.any():
            continue
        module, _, part = key.rpartition(".")
        holder = base.get_submodule(module)
        if not isinstance(holder, LINEAR_TYPES) or _is_tied(base, before[key]):
            raise UsageError(
                f"{name} changed {key}, and experts can be made of linear layers only",
                hint="fuse runs whose winner is LoRA or another method on linear layers",
            )
        turned = difference.T if part == "weight" and isinstance(holder, Conv1D) else difference
        (weights if part == "weight" else biases)[module] = turned
    if not weights and not biases:
        raise InputError(f"{name} changed nothing but its head", hint="leave it out")
    return Expert(name, weights, biases, head)


def _is_tied(base: PreTrainedModel, parameter: nn.Parameter) -> bool:
    return any(isinstance(one, nn.Embedding) and one.weight is parameter for one in base.modules())


def check_one_base(names: Sequence[str], bases: Sequence[PreTrainedModel]) -> None:
    """See that all runs stand on the same pretrained weights.

    Raises:
        InputError: two do not.
    """
    first = _backbone(bases[0])
    for name, base in zip(names[1:], bases[1:], strict=True):
        other = _backbone(base)
        same = first.keys() == other.keys() and all(torch.equal(first[key], other[key]) for key in first)
        if not same:
            raise InputError(
                f"{names[0]} and {name} were trained on different bases", hint="fuse runs of one and the same model"
            )


def _backbone(base: PreTrainedModel) -> dict[str, Tensor]:
    heads = tuple(f"{head}." for head in head_modules(base))
    return {key: value for key, value in base.state_dict().items() if not (heads and key.startswith(heads))}


def fuse(
    base: PreTrainedModel, experts: Sequence[Expert], which: int, *, rank: int, gate_rank: int, top_k: int
) -> PeftModel:
    """The base with all experts, and the head of one of them.

    Args:
        base: used up; its head has the size of that expert's.
        experts: at least two.
        which: of them gives the head.
        rank: singular directions of each expert.
        gate_rank: of them, those that the routing looks at.
        top_k: experts of a token.

    Raises:
        UsageError: one of these makes no sense.
    """
    modules = sorted(set().union(*(expert.modules for expert in experts)))
    heads = list(head_modules(base))
    linear: dict[str, Any] = {name: base.get_submodule(name) for name in modules}
    try:
        config = SmileConfig(
            target_modules=modules,
            modules_to_save=heads or None,
            experts=len(experts),
            rank=rank,
            gate_rank=gate_rank,
            top_k=top_k,
        )
    except ValueError as error:
        raise UsageError(str(error), hint="see `autopeft fuse --help`") from error
    fused: Any = get_peft_model(base, config)
    fused.base_model.fill_experts(
        {name: [_difference(expert.weights, name, linear[name]) for expert in experts] for name in modules},
        {name: [_bias(expert.biases, name, linear[name]) for expert in experts] for name in modules},
    )
    _set_head(fused, experts[which].head)
    result: PeftModel = fused.requires_grad_(False).eval()
    return result


def _difference(held: Mapping[str, Tensor], name: str, module: Any) -> Tensor:
    weight = module.weight
    shape = weight.T.shape if isinstance(module, Conv1D) else weight.shape
    return held[name] if name in held else torch.zeros(shape)


def _bias(held: Mapping[str, Tensor], name: str, module: Any) -> Tensor:
    size = module.weight.shape[1] if isinstance(module, Conv1D) else module.weight.shape[0]
    return held[name] if name in held else torch.zeros(size)


@torch.no_grad()
def _set_head(fused: PeftModel, head: Mapping[str, Tensor]) -> None:
    """Put a run's head in the place of the one that peft copied from the base."""
    for name, wrapper in fused.base_model.model.named_modules():
        if isinstance(wrapper, ModulesToSaveWrapper):
            for key, parameter in wrapper.modules_to_save[_ADAPTER].named_parameters():
                parameter.copy_(head[f"{name}.{key}"])
