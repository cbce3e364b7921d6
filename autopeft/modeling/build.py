"""A base model for a task: on meta from its config alone, or with its weights."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
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
from autopeft.modeling.quantize import quantize, unquantized_modules, upcast_unquantized
from autopeft.modeling.quantized_base import keep_layout, quantized_loading
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
        model: with a folder, or a hub id whose files are fetched; says whether the weights are quantised.
        task: decides the head.
        num_labels: outputs of a classification head.
        dtype: of the weights; on a quantised base of the rest, and of products.
        device: where they go.

    Returns:
        The frozen model, in evaluation mode.

    Raises:
        ModelError: there are no usable weights, or they do not fit the config.
        MissingDependencyError: the base is to be quantised, and what does that is not installed.
    """
    folder = require_weights(model)
    config = transformers_config(model, task, num_labels)
    auto_class = _auto_class(model, task, config)
    how = {"config": config, "dtype": getattr(torch, dtype), "key_mapping": _renamed(auto_class, config)}
    if model.quantization is None:
        base, report = _read(auto_class, folder, **how)
        _note_absent(base, model, report)
        return base.requires_grad_(False).to(device).eval()
    base = _read_quantized(auto_class, folder, model, how, device)
    return base.requires_grad_(False).eval()


def _read_quantized(
    auto_class: Any, folder: Path, model: ModelSpec, how: dict[str, Any], device: torch.device | str
) -> PreTrainedModel:
    """The base with its linear layers in 4 or 8 bits; heads, and what has no weights in the files, stay as they are."""
    assert model.quantization is not None
    with torch.device("meta"):
        plain: PreTrainedModel = auto_class.from_config(how["config"])
    kept = unquantized_modules(plain)
    while True:
        asked = quantized_loading(model.quantization, kept, how["dtype"], device)
        base, report = _read(auto_class, folder, **how, **asked)
        _note_absent(base, model, report)
        # What was absent is known only now, and has to train: it is read again, unquantised.
        lacking = [name for name in head_modules(base) if name not in kept]
        if not lacking:
            return _unpacked(base, how["dtype"]) if model.unpacked else keep_layout(base)
        kept += lacking


def _unpacked(base: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    with quiet_transformers():
        plain: PreTrainedModel = base.dequantize(dtype=dtype)
    return plain


def _read(auto_class: Any, folder: Path, **how: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model, and what transformers says about missing and unfitting weights."""
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(_ABSENT_WEIGHTS_SEED)
        try:
            loaded, report = auto_class.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **how,
            )
        except Exception as error:  # safetensors, transformers and torch each raise their own kinds here
            raise ModelError(
                f"the weights in {folder} cannot be loaded: {first_line(error)}",
                hint="check that config.json and model.safetensors belong together and are complete",
            ) from error
    return loaded, report


def renamed_weights(model: ModelSpec, task: TaskSpec) -> dict[str, str] | None:
    """Pattern -> replacement for the names of pretrained weights, where the task's class calls its base otherwise.

    Llama's and its relatives' models for question answering say `transformer` where their checkpoints say `model`.
    What is given as transformers' `key_mapping`; None where names agree.

    Raises:
        ModelError: the config cannot be used, or the model has no head for the task.
    """
    config = transformers_config(model, task, 2)  # the names hang on no count; transformers refuses a single class
    return _renamed(_auto_class(model, task, config), config)


def _renamed(auto_class: Any, config: PreTrainedConfig) -> dict[str, str] | None:
    built = auto_class._model_mapping[type(config)]
    family = next(one for one in built.__mro__[1:] if issubclass(one, PreTrainedModel))
    own, usual = built.base_model_prefix, family.base_model_prefix
    return {rf"^{re.escape(usual)}\.": f"{own}."} if usual and own != usual else None


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
