"""How many parameters a wrapped model trains and has."""

from dataclasses import dataclass

from peft import PeftModel
from torch import nn

from autopeft.modeling.heads import head_modules
from autopeft.modeling.quantize import hidden_elements

_HEAD_COPY = "modules_to_save"
_REPLACED_HEAD = "original_module"


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Parameters of a wrapped model.

    Attributes:
        trainable: that a step updates, head included.
        adapter: trainable, without the head.
        total: of base, head and adapter; tied ones count once, and a head that is trained as a copy counts
            once too.
    """

    trainable: int
    adapter: int
    total: int


def count_parameters(model: nn.Module) -> ParameterCounts:
    """Count the parameters of a model that `wrap` gave, on any device."""
    heads = () if isinstance(model, PeftModel) else tuple(f"{name}." for name in head_modules(model))
    trainable = head = total = 0
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        if _REPLACED_HEAD in parts:
            continue
        total += parameter.numel()
        if parameter.requires_grad:
            trainable += parameter.numel()
            if _HEAD_COPY in parts or (heads and name.startswith(heads)):
                head += parameter.numel()
    return ParameterCounts(trainable, trainable - head, total + hidden_elements(model))
