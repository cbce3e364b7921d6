"""Trained parameters to disk and back: adapter folders for people, named tensors for checkpoints."""

from collections.abc import Mapping
from pathlib import Path

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

import autopeft.tuners  # noqa: F401 - registers our own methods with peft
from autopeft.domain.memory import DType
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.build import load_base
from autopeft.modeling.config import first_line
from autopeft.modeling.quiet import quiet_transformers
from autopeft.modeling.sharded import shared_like, whole
from autopeft.modeling.source import read_config
from autopeft.modeling.training_hooks import changing_buffers, mark_started

_ADAPTER_CONFIG = "adapter_config.json"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"


def save_adapter(model: nn.Module, folder: Path) -> None:
    """Write what was trained as safetensors: a normal peft folder, or for full fine-tuning the whole model.

    Args:
        model: as `wrap` gave it.
        folder: made if it is not there.
    """
    if isinstance(model, PeftModel):
        # No method here trains embeddings, and peft's "auto" may ask the hub for the base's config.
        model.save_pretrained(str(folder), save_embedding_layers=False)
    elif isinstance(model, PreTrainedModel):
        with quiet_transformers():
            model.save_pretrained(str(folder))
    else:
        raise TypeError(f"{type(model).__name__} is neither a peft nor a transformers model")


def load_adapter(
    model: ModelSpec,
    folder: Path,
    task: TaskSpec,
    num_labels: int,
    *,
    dtype: DType = "float32",
    device: torch.device | str = "cpu",
) -> nn.Module:
    """The adapted model of a folder that `save_adapter` wrote, ready to use.

    Args:
        model: the base that the adapter was trained on.
        folder: with the adapter, or with a fully fine-tuned model.
        task: that it was trained for.
        num_labels: outputs of a classification head.
        dtype: of the base's weights.
        device: where it goes.

    Returns:
        The model in evaluation mode, all parameters frozen.

    Raises:
        ModelError: the folder holds neither, or it does not fit the base.
    """
    if not (folder / _ADAPTER_CONFIG).is_file():
        return load_base(_saved_model(folder), task, num_labels, dtype=dtype, device=device)
    if not (folder / _ADAPTER_WEIGHTS).is_file():
        raise ModelError(f"{folder} has no {_ADAPTER_WEIGHTS}", hint="autopeft reads adapters from safetensors only")
    base = load_base(model, task, num_labels, dtype=dtype, device=device)
    try:
        with quiet_transformers():
            adapted: PeftModel = PeftModel.from_pretrained(base, str(folder))
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ModelError(
            f"the adapter in {folder} does not fit {model.name}: {first_line(error)}",
            hint="name the base model and task that it was trained for",
        ) from error
    # peft leaves prompts and trained heads ready to train on.
    return adapted.requires_grad_(False).eval()


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Copies, on the CPU, of the parameters that train and the buffers that the method changes, by name.

    Of a sharded model they are whole, and every process must ask.
    """
    return {name: whole(tensor.detach()).to("cpu", copy=True) for name, tensor in _training_tensors(model).items()}


def load_trainable_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put the values of `trainable_state` back into a model wrapped the same way.

    Args:
        model: as `wrap` gave it.
        state: one tensor for each.

    Raises:
        ModelError: names or shapes differ; the model is left as it was.
    """
    own = _training_tensors(model)
    different = sorted(own.keys() ^ state.keys()) or [n for n in own if own[n].shape != state[n].shape]
    if different:
        raise ModelError(
            f"the checkpoint does not fit the model: {different[0]} and {len(different) - 1} more are "
            "missing, unknown or of another shape",
            hint="it was written for another method, rank or base model",
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(shared_like(state[name], tensor))
    mark_started(model)


def _training_tensors(model: nn.Module) -> dict[str, Tensor]:
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    return trained | changing_buffers(model)


def _saved_model(folder: Path) -> ModelSpec:
    config = folder / "config.json"
    if not config.is_file():
        raise ModelError(f"{folder} holds neither an adapter nor a model", hint="name a folder with an adapter")
    return ModelSpec(str(folder), read_config(config, str(folder)), folder, source=str(config))
