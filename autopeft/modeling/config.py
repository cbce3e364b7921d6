"""From an untrusted config.json to a transformers config that cannot make anything run."""

import copy
from collections.abc import Mapping
from typing import Any

from transformers import CONFIG_MAPPING, PreTrainedConfig

from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.own_code import check_runs_no_code

# Keys that choose an implementation; transformers would fetch code from the hub for some of their values.
_IMPLEMENTATION_KEYS = ("attn_implementation", "experts_implementation", "attn_implementation_internal")

# What decides a model's size, under transformers' common names. Families may have names of their own for them.
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_DECODER_SIZES = ("decoder_layers",)
# Heads whose size is `num_labels`.
_OUTPUTS_COUNT = ("sequence-classification", "token-classification", "question-answering")
_PROBLEM_TYPES = {
    "classification": "single_label_classification",
    "multi-label": "multi_label_classification",
    "regression": "regression",
}


def transformers_config(model: ModelSpec, task: TaskSpec, num_labels: int) -> PreTrainedConfig:
    """The config of a base model for a task.

    A missing padding token id becomes the end-of-sequence id, or 0.

    Args:
        model: the base.
        task: decides whether there is a classification head.
        num_labels: outputs of that head, where the task does not fix them.

    Raises:
        ModelError: transformers does not know the model type, the config asks for its own code or for
            quantised weights, it leaves out what decides the model's size, or one of its values makes no sense.
    """
    plain = _without_implementation(model.config)
    check_runs_no_code(plain, model.name)
    if plain.get("quantization_config"):
        raise ModelError(f"{model.name} is quantised, which is not supported yet", hint="use the unquantised base")
    if model.model_type not in CONFIG_MAPPING:
        raise ModelError(
            f"the installed transformers does not know the type {model.model_type!r} of {model.name}",
            hint="check config.json, or update transformers",
        )
    _check_sizes(plain, model)
    if task.head in _OUTPUTS_COUNT:
        # id2label would otherwise win over num_labels.
        plain = {k: v for k, v in plain.items() if k not in ("id2label", "label2id")} | _outputs(task, num_labels)
    try:
        config = CONFIG_MAPPING[model.model_type].from_dict(plain)
    except Exception as error:  # transformers raises many kinds on a bad value; all of them mean the same here
        raise ModelError(
            f"the config of {model.name} cannot be used: {first_line(error)}", hint="correct its config.json"
        ) from error
    _set_padding(config)
    return config


def _outputs(task: TaskSpec, num_labels: int) -> dict[str, Any]:
    """What the config says about the head; transformers picks the loss of a sequence classification by it."""
    if task.head == "question-answering":
        return {"num_labels": 2}  # where an answer begins, and where it ends
    problem = _PROBLEM_TYPES.get(task.objective) if task.head == "sequence-classification" else None
    return {"num_labels": task.outputs or num_labels} | ({"problem_type": problem} if problem else {})


def _check_sizes(plain: Mapping[str, Any], model: ModelSpec) -> None:
    """Refuse a config that transformers would fill up with the sizes of another model."""
    config_class = CONFIG_MAPPING[model.model_type]
    if config_class.sub_configs:
        return
    names = {size: config_class.attribute_map.get(size, size) for size in _SIZES}
    names |= {size: size for size in _DECODER_SIZES if hasattr(config_class, size)}
    if missing := [name for size, name in names.items() if size not in plain and name not in plain]:
        raise ModelError(
            f"the config of {model.name} does not say {', '.join(missing)}",
            hint="complete its config.json: the model's size would be a guess",
        )


def _without_implementation(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key.lstrip("_") not in _IMPLEMENTATION_KEYS}
    return {
        key: _without_implementation(value) if isinstance(value, Mapping) else copy.deepcopy(value)
        for key, value in kept.items()
    }


def _set_padding(config: PreTrainedConfig) -> None:
    if getattr(config, "pad_token_id", None) is not None:
        return
    end = getattr(config, "eos_token_id", None)
    config.pad_token_id = (end[0] if isinstance(end, list) and end else end) or 0


def first_line(error: Exception) -> str:
    """What an error of a third party says, short enough for one line; its kind where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:200] or type(error).__name__
