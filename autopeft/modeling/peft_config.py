"""From a method of the catalogue to the configuration that peft takes."""

import re
from collections.abc import Sequence
from typing import Any

from peft import AdaptionPromptConfig, LilyConfig, PeftConfig, PrefixTuningConfig, TaskType
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

import autopeft.tuners  # noqa: F401 - registers our own methods with peft
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import target_regex
from autopeft.modeling.config import first_line
from autopeft.modeling.loftq import takes_loftq_start
from autopeft.modeling.recorded_config import recorded_config

HEAD = "HEAD"
FULL = "FULL"
# A head alone is an adapter that wraps no layer: peft has a name for targets that may match nothing, and
# then trains and saves `modules_to_save` as it does for every method.
_HEAD_CARRIER = "LN_TUNING"
_NO_TARGETS = "dummy-target-modules"
_LAYER_NUMBER = re.compile(r"(?:^|\.)\d+\.")


def peft_config_of(
    method: MethodSpec,
    hyperparameters: Hyperparameters,
    task: TaskSpec,
    architecture: ArchitectureSpec,
    model: PreTrainedModel,
    heads: Sequence[str],
) -> PeftConfig:
    """The peft configuration of a method with these hyperparameters for this model.

    Args:
        method: whose builder is a `PeftType` or `HEAD`.
        hyperparameters: all knobs; those without an `argument` are training settings and passed over.
        task: gives peft's task type.
        architecture: names the modules of the method's targets.
        model: not yet wrapped.
        heads: modules that are trained and saved beside the adapter.

    Raises:
        ModelError: the targets match nothing, or peft refuses a value.
    """
    if method.as_recorded:
        return recorded_config(method)
    carrier = _HEAD_CARRIER if method.builder == HEAD else method.builder
    fields: dict[str, Any] = {
        "task_type": TaskType[task.peft_task_type],
    }
    config_class = PEFT_TYPE_TO_CONFIG_MAPPING[carrier]
    if heads:
        fields |= {"modules_to_save": list(heads)}
    fields |= dict(method.settings)
    if takes_loftq_start(method):
        fields["init_lora_weights"] = True
    fields |= {
        field: target_regex(architecture, roles, model, method=method.id) for field, roles in method.targets.items()
    }
    fields |= {k.argument: hyperparameters[k.name] for k in method.knobs if k.argument is not None}
    if method.builder == HEAD:
        fields["target_modules"] = _NO_TARGETS
    if issubclass(config_class, PrefixTuningConfig):
        fields |= _key_value_sizes(model.config)
    if issubclass(config_class, LilyConfig):
        # It shares matrices among the modules of one name, and takes a regular expression for one name.
        fields["target_modules"] = module_tails(model, fields["target_modules"])
    if issubclass(config_class, AdaptionPromptConfig):
        # The paper leaves out the lowest layers of a deep model; choice: every layer, which suits any depth.
        fields["adapter_layers"] = model.config.num_hidden_layers
    try:
        return config_class(**fields)
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"peft refuses {method.id} with these hyperparameters: {first_line(error)}",
            hint=f"see `autopeft methods {method.id}`",
        ) from error


def module_tails(model: nn.Module, regex: str) -> list[str]:
    """What the names of the matched modules end in after the last layer number, such as `self_attn.q_proj`.

    Raises:
        ModelError: another module ends alike, so that the endings would name too much.
    """
    names = [name for name, _ in model.named_modules()]
    matched = [name for name in names if re.fullmatch(regex, name)]
    tails = sorted({_LAYER_NUMBER.split(name)[-1] for name in matched})
    named = [name for name in names if name.endswith(tuple(f".{tail}" for tail in tails)) or name in tails]
    if named != matched:
        other = next(name for name in named if name not in matched)
        raise ModelError(f"the module names {', '.join(tails)} also fit {other}", hint="choose another method")
    return tails


def _key_value_sizes(config: PreTrainedConfig) -> dict[str, int]:
    """Key and value sizes where peft guesses wrong.

    T5 states the size of a head apart from the model's (in T5-3B and 11B, heads * d_kv is not d_model), and
    the prefix goes to the decoder, whose depth and heads may differ from the encoder's (distilled BARTs).
    """
    if getattr(config, "decoder_attention_heads", None) is not None:
        return {"num_attention_heads": config.decoder_attention_heads, "num_layers": config.decoder_layers}
    if getattr(config, "d_kv", None) is None:
        return {}
    depth = getattr(config, "num_decoder_layers", None) or config.num_hidden_layers
    return {
        "token_dim": config.num_heads * config.d_kv,
        "num_attention_heads": config.num_heads,
        "num_layers": depth,
    }
