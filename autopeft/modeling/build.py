"""A base model for a task: on meta from its config alone, or with its weights."""

import re
import warnings
from collections.abc import Iterable
from typing import Any

import torch
import transformers
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from autopeft.domain.memory import DType, StepShape
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import HEADS, TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.config import first_line, transformers_config
from autopeft.modeling.heads import ABSENT_MODULES, head_modules
from autopeft.modeling.quantize import quantize, upcast_unquantized
from autopeft.modeling.quiet import quiet_transformers
from autopeft.modeling.source import require_weights
from autopeft.modeling.tying import untie_output

_NUMBERED_LAYER = re.compile(r"\.\d+\.")
# Draws whatever the checkpoint lacks; the head is drawn again by `reset_head`.
_ABSENT_WEIGHTS_SEED = 0


def build_on_meta(model: ModelSpec, task: TaskSpec, shape: StepShape) -> PreTrainedModel:
    """The base model without any memory: every tensor lies on the meta device.

    Args:
        model: only its config is used.
        task: decides the head.
        shape: of it the dtype, the number of labels, quantisation, attention and gradient checkpointing.

    Returns:
        The frozen model, in training mode.

    Raises:
        ModelError: the config cannot be used, or the model has no head for the task.
    """
    config = transformers_config(model, task, shape.num_labels)
    auto_class = _auto_class(model, task, config)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            built: PreTrainedModel = auto_class.from_config(
                config, dtype=getattr(torch, shape.dtype), **_attention(shape)
            )
        except (ValueError, TypeError, ZeroDivisionError, RuntimeError, AttributeError, KeyError) as error:
            raise ModelError(
                f"no model can be built from the config of {model.name}: {first_line(error)}",
                hint="correct its config.json",
            ) from error
    untie_output(built, model.config)
    _check_flash(built, shape)
    if shape.quantization is not None:
        quantize(
            built,
            shape.quantization,
            compute_dtype=getattr(torch, shape.matrix_dtype),
            autocast=shape.autocast_dtype is not None,
        )
        upcast_unquantized(built, shape.upcast)
    if shape.gradient_checkpointing:
        enable_gradient_checkpointing(built)
    return built.requires_grad_(False).train()


def load_base(
    model: ModelSpec,
    task: TaskSpec,
    num_labels: int,
    *,
    dtype: DType = "float32",
    device: torch.device | str = "cpu",
) -> PreTrainedModel:
    """The base model with its weights, from safetensors alone.

    What the checkpoint has no weights for (a head; for some checkpoints BERT's pooler) is drawn with a fixed
    seed and reported by `heads.head_modules`, so that it gets trained and saved with the adapter.

    Args:
        model: with a folder, or a hub id whose files are fetched.
        task: decides the head.
        num_labels: outputs of a classification head.
        dtype: of the weights.
        device: where they go.

    Returns:
        The frozen model, in evaluation mode.

    Raises:
        ModelError: there are no usable weights, or they do not fit the config.
    """
    folder = require_weights(model)
    config = transformers_config(model, task, num_labels)
    auto_class = _auto_class(model, task, config)
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(_ABSENT_WEIGHTS_SEED)
        try:
            loaded, report = auto_class.from_pretrained(
                folder,
                config=config,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except Exception as error:  # safetensors, transformers and torch each raise their own kinds here
            raise ModelError(
                f"the weights in {folder} cannot be loaded: {first_line(error)}",
                hint="check that config.json and model.safetensors belong together and are complete",
            ) from error
    base: PreTrainedModel = loaded
    _note_absent(base, model, report)
    return base.requires_grad_(False).to(device).eval()


def enable_gradient_checkpointing(model: PreTrainedModel) -> None:
    """Recompute activations in the backward pass instead of keeping them.

    Args:
        model: not yet wrapped by peft.

    Raises:
        ModelError: the model cannot do it.
    """
    if not model.supports_gradient_checkpointing:
        raise ModelError(
            f"{type(model).__name__} cannot do gradient checkpointing", hint="turn gradient checkpointing off"
        )
    # Renamed in transformers 5.
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})


def _attention(shape: StepShape) -> dict[str, str]:
    """What to tell transformers; flash is traced as the fused kernel behind its scaled dot product attention."""
    return {"attn_implementation": "eager"} if shape.attention == "eager" else {}


def _check_flash(model: PreTrainedModel, shape: StepShape) -> None:
    if shape.attention == "flash" and not model._supports_flash_attn:
        raise ModelError(f"{type(model).__name__} has no flash attention in transformers", hint="use --attention sdpa")


def _auto_class(model: ModelSpec, task: TaskSpec, config: PreTrainedConfig) -> Any:
    auto_class = getattr(transformers, HEADS[task.head].auto_class)
    if type(config) not in auto_class._model_mapping:
        raise ModelError(
            f"{model.name} ({model.model_type}) has no head for {task.id} in transformers",
            hint="choose another task or another base model",
        )
    return auto_class


def _note_absent(base: PreTrainedModel, model: ModelSpec, report: dict[str, Any]) -> None:
    heads = tuple(f"{name}." for name in head_modules(base))
    mismatched = {key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]}
    outside = sorted(key for key in {*report["missing_keys"], *mismatched} if not key.startswith(heads))
    if wrong := [
        key for key in outside if key in mismatched or _NUMBERED_LAYER.search(key) or _is_embedding(base, key)
    ]:
        raise ModelError(
            f"the weights of {model.name} do not fit its config: {wrong[0]} and {len(wrong) - 1} more are "
            "missing or of another shape",
            hint="check that config.json and model.safetensors belong together",
        )
    setattr(base, ABSENT_MODULES, tuple(_owners(base, outside)))


def _owners(base: nn.Module, keys: Iterable[str]) -> list[str]:
    """The modules that hold these parameters, each once."""
    return list(dict.fromkeys(key.rpartition(".")[0] for key in keys))


def _is_embedding(base: PreTrainedModel, key: str) -> bool:
    return isinstance(base.get_submodule(key.rpartition(".")[0]), nn.Embedding)
