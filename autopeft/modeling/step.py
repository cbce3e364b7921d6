"""The one training step that memory/ traces and training/ runs."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import OptimizerName
from autopeft.errors import UsageError
from autopeft.modeling.optimizers import DEFAULT_WEIGHT_DECAY, make_optimizer
from autopeft.modeling.training_hooks import loss_of, start_from_data
from autopeft.modeling.update_rules import apply_update_rule, projected_adamw, update_rule


def build_optimizer(
    model: nn.Module, hyperparameters: Hyperparameters, optimizer: OptimizerName = "adamw"
) -> torch.optim.Optimizer:
    """The optimizer over the parameters that train.

    Its implementation (foreach, fused, for-loop) is chosen by name on every device, so that the traced optimizer
    step makes the same temporaries as the one that runs.

    Args:
        model: as `wrap` gave it.
        hyperparameters: `learning_rate`, `weight_decay` if the method has it, else the optimizer's default, and what
            the method's update rule reads.
        optimizer: as in `StepShape.optimizer`; `adamw` is the foreach form, torch's default on a GPU.

    Raises:
        UsageError: there is no numeric learning rate, no such optimizer, or the method brings its own.
        MissingDependencyError: the optimizer is one of bitsandbytes', which is not installed.
    """
    learning_rate = hyperparameters.get("learning_rate")
    if not isinstance(learning_rate, int | float) or isinstance(learning_rate, bool):
        raise UsageError(
            f"learning_rate is {learning_rate!r}, which is no number",
            hint="name one, like --set learning_rate=1e-3",
        )
    weight_decay = hyperparameters.get("weight_decay")
    decay = None if weight_decay is None else float(weight_decay)
    if update_rule(model) == "galore":
        if optimizer != "adamw":
            raise UsageError(f"GaLore is an AdamW of its own, not {optimizer}", hint="leave --optimizer out")
        kept = DEFAULT_WEIGHT_DECAY if decay is None else decay
        return projected_adamw(model, hyperparameters, float(learning_rate), kept)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    made = make_optimizer(optimizer, trainable, float(learning_rate), decay)
    apply_update_rule(model, made, hyperparameters)
    return made


def training_step(
    model: nn.Module,
    micro_batches: Sequence[Mapping[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    *,
    autocast: torch.dtype | None = None,
    backward: Callable[[Tensor], object] = Tensor.backward,
    max_grad_norm: float | None = None,
) -> Tensor:
    """One optimizer step: forward and backward of each micro-batch, clipping, update.

    What a method does beyond its forward pass (`training_hooks`) is part of it: an own loss, and before the first
    update a choice from the data.

    It reads no value back from the device and draws nothing at random itself (dropout does, where the model
    is in training mode).

    Args:
        model: plain or wrapped by peft.
        micro_batches: the model's arguments, with labels; their losses count alike.
        optimizer: from `build_optimizer`.
        autocast: dtype that matrix products run in, or None for the weights' own.
        backward: what runs the backward pass of a loss; `accelerator.backward` fits.
        max_grad_norm: greatest norm of all gradients together, or None for no clipping.

    Returns:
        The mean loss of the micro-batches: a detached scalar on the model's device.
    """
    optimizer.zero_grad(set_to_none=True)
    if micro_batches:
        with torch.enable_grad(), autocast_on(_device_type(micro_batches[0]), autocast):
            start_from_data(model, micro_batches)
    total: Tensor | None = None
    for batch in micro_batches:
        device_type = _device_type(batch)
        # A caller's no_grad, in a notebook say, is no reason to fail.
        with torch.enable_grad(), autocast_on(device_type, autocast):
            loss = loss_of(model, batch) / len(micro_batches)
        backward(loss)
        total = loss.detach() if total is None else total + loss.detach()
        # The graph would otherwise live on beside the next micro-batch's.
        del loss
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(
            [p for group in optimizer.param_groups for p in group["params"]], max_grad_norm, foreach=True
        )
    optimizer.step()
    if total is None:
        raise ValueError("a step needs at least one micro-batch")
    return total


def _device_type(batch: Mapping[str, Tensor]) -> str:
    return next(iter(batch.values())).device.type


def autocast_on(device_type: str, dtype: torch.dtype | None) -> torch.autocast:
    """The autocast context for a device; it does nothing when `dtype` is None.

    Args:
        device_type: such as `cuda`. On meta nothing is cast either, since autocast does not reach meta
            tensors: a trace has to account for it itself.
        dtype: that matrix products run in.
    """
    reached = device_type != "meta"
    return torch.autocast(device_type if reached else "cpu", dtype=dtype, enabled=reached and dtype is not None)
