"""How a method's parameters are updated where that is not plain AdamW: LoRA+, LoRA-FA and GaLore.

A method names its rule in `update`; `wrap` notes it on the model, so that the traced and the trained step find it.
"""

from functools import partial
from typing import Any, cast

import torch
from peft.tuners.lora.layer import LoraLayer
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.methods import MethodSpec, UpdateRule
from autopeft.modeling.heads import head_modules
from autopeft.modeling.projected import ProjectedAdamW

_NOTED = "autopeft_update_rule"
# Keeps the Gram matrix of a rank-deficient factor invertible, as in peft's optimizer.
_RIDGE = 1e-8


def note_update_rule(model: nn.Module, method: MethodSpec) -> None:
    """Note the method's rule on the model; for LoRA-FA freeze the input factors, which stay as they were drawn.

    Args:
        model: as `wrap` is about to give it; changed.
        method: that it was wrapped with.
    """
    setattr(model, _NOTED, method.update)
    if method.update == "lora-fa":
        for layer in _lora_layers(model):
            layer.lora_A.requires_grad_(False)


def update_rule(model: nn.Module) -> UpdateRule:
    """The rule that was noted on the model; `adamw` where none was."""
    rule: UpdateRule = getattr(model, _NOTED, "adamw")
    return rule


def projected_adamw(
    model: nn.Module, hyperparameters: Hyperparameters, learning_rate: float, weight_decay: float
) -> ProjectedAdamW:
    """GaLore's AdamW: moments of the blocks' matrices are kept in a small subspace, others as usual.

    Args:
        model: all of whose parameters train.
        hyperparameters: `projection_rank`, `projection_interval`, `projection_scale`.
        learning_rate: of all.
        weight_decay: of all.
    """
    matrices = _block_matrices(model)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {
            "params": [parameter for parameter in trained if id(parameter) in matrices],
            "projection_rank": int(hyperparameters["projection_rank"]),
            "projection_interval": int(hyperparameters["projection_interval"]),
            "projection_scale": float(hyperparameters["projection_scale"]),
        },
        {"params": [parameter for parameter in trained if id(parameter) not in matrices]},
    ]
    return ProjectedAdamW([group for group in groups if group["params"]], learning_rate, weight_decay)


def apply_update_rule(model: nn.Module, optimizer: torch.optim.Optimizer, hyperparameters: Hyperparameters) -> None:
    """Change a plain optimizer over the model's trained parameters as LoRA+ or LoRA-FA wants it.

    - LoRA+ (arXiv:2402.12354): the output factors B learn `rate_ratio` times as fast. Choice: whatever else trains,
      such as a head, keeps the plain rate.
    - LoRA-FA (arXiv:2308.03303, as in peft/optimizers/lorafa.py): with the input factor A frozen, the gradient of B is
      multiplied by (A A')^-1 / scaling^2 before each update, which makes the step on the whole update nearest to full
      fine-tuning's.

    Args:
        model: as `wrap` gave it.
        optimizer: with one parameter group; changed.
        hyperparameters: `rate_ratio` for LoRA+.
    """
    rule = update_rule(model)
    if rule == "lora-plus":
        _speed_up(optimizer, _output_factors(model), float(hyperparameters["rate_ratio"]))
    elif rule == "lora-fa":
        optimizer.register_step_pre_hook(partial(_project_gradients, _lora_layers(model)))


def _speed_up(optimizer: torch.optim.Optimizer, chosen: set[int], factor: float) -> None:
    (group,) = optimizer.param_groups
    faster = [parameter for parameter in group["params"] if id(parameter) in chosen]
    group["params"] = [parameter for parameter in group["params"] if id(parameter) not in chosen]
    settings = {name: value for name, value in group.items() if name != "params"}
    optimizer.add_param_group({**settings, "params": faster, "lr": group["lr"] * factor, "rate_factor": factor})


@torch.no_grad()
def _project_gradients(layers: list[LoraLayer], *_: Any) -> None:
    for layer in layers:
        for name, factor in layer.lora_A.items():
            gradient = layer.lora_B[name].weight.grad
            if gradient is not None:
                a = factor.weight.to(gradient.dtype)
                gram = a @ a.T + _RIDGE * torch.eye(len(a), dtype=a.dtype, device=a.device)
                gradient.copy_(gradient @ torch.linalg.inv(gram) / layer.scaling[name] ** 2)


def _lora_layers(model: nn.Module) -> list[LoraLayer]:
    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def _output_factors(model: nn.Module) -> set[int]:
    return {id(parameter) for layer in _lora_layers(model) for parameter in layer.lora_B.parameters()}


def _block_matrices(model: nn.Module) -> set[int]:
    """The weights of linear layers, but not those of heads or those tied to an embedding."""
    heads = tuple(f"{name}." for name in head_modules(cast(PreTrainedModel, model)))  # FULL wraps nothing
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return {
        id(module.weight)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and not f"{name}.".startswith(heads or ("\0",))
    } - embeddings
