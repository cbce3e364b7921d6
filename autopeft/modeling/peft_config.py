"""From a method of the catalogue to the configuration that peft takes."""

from collections.abc import Sequence
from typing import Any

from peft import PeftConfig, PrefixTuningConfig, TaskType
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from transformers import PreTrainedConfig, PreTrainedModel

import autopeft.tuners  # noqa: F401 - registers our own methods with peft
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import target_regex
from autopeft.modeling.config import first_line

HEAD = "HEAD"
FULL = "FULL"
# A head alone is an adapter that wraps no layer: peft has a name for targets that may match nothing, and
# then trains and saves `modules_to_save` as it does for every method.
_HEAD_CARRIER = "LN_TUNING"
_NO_TARGETS = "dummy-target-modules"


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
    carrier = _HEAD_CARRIER if method.builder == HEAD else method.builder
    fields: dict[str, Any] = {
        "task_type": TaskType[task.peft_task_type],
        "modules_to_save": list(heads) or None,
    }
    fields |= dict(method.settings)
    fields |= {
        field: target_regex(architecture, roles, model, method=method.id) for field, roles in method.targets.items()
    }
    fields |= {k.argument: hyperparameters[k.name] for k in method.knobs if k.argument is not None}
    if method.builder == HEAD:
        fields["target_modules"] = _NO_TARGETS
    config_class = PEFT_TYPE_TO_CONFIG_MAPPING[carrier]
    if issubclass(config_class, PrefixTuningConfig):
        fields |= _key_value_sizes(model.config)
    try:
        return config_class(**fields)
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"peft refuses {method.id} with these hyperparameters: {first_line(error)}",
            hint=f"see `autopeft methods {method.id}`",
        ) from error


def _key_value_sizes(config: PreTrainedConfig) -> dict[str, int]:
    """Key and value sizes where peft guesses wrong.

    T5 states the size of a head apart from the model's (in T5-3B and 11B, heads * d_kv is not d_model), and
    the prefix goes to the decoder, whose depth may differ from the encoder's.
    """
    if getattr(config, "d_kv", None) is None:
        return {}
    depth = getattr(config, "num_decoder_layers", None) or config.num_hidden_layers
    return {
        "token_dim": config.num_heads * config.d_kv,
        "num_attention_heads": config.num_heads,
        "num_layers": depth,
    }
