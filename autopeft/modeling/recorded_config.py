"""From the fields of a recorded peft configuration to peft's own object."""

import inspect
from typing import Any

from peft import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

import autopeft.tuners  # noqa: F401 - registers our own methods with peft
from autopeft.domain.methods import MethodSpec
from autopeft.errors import ModelError
from autopeft.modeling.config import first_line
from autopeft.modeling.recorded import HOUSEKEEPING

# Initialisations that read data or decompose the weights. What trains, and so the step, is the same without.
_COSTLY_STARTS = ("corda", "eva", "loftq", "lora_ga", "olora", "orthogonal", "pissa")


def recorded_config(method: MethodSpec) -> PeftConfig:
    """The configuration as it was recorded, for a step on a model without weights.

    Args:
        method: from `recorded.read_recorded`.

    Raises:
        ModelError: a field that the installed peft does not know, or a value that it refuses.
    """
    config_class = PEFT_TYPE_TO_CONFIG_MAPPING[method.builder]
    known = set(inspect.signature(config_class).parameters) | HOUSEKEEPING
    unknown = sorted(set(method.settings) - known)
    if unknown:
        raise ModelError(
            f"{method.as_recorded}: the installed peft knows no field {unknown[0]!r} of {method.title}",
            hint="remove it, or install the version of peft that wrote the file",
        )
    fields = {name: value for name, value in method.settings.items() if name not in HOUSEKEEPING}
    try:
        return config_class(**_without_costly_start(fields))
    except (ValueError, TypeError, ImportError) as error:
        raise ModelError(
            f"{method.as_recorded}: peft refuses it: {first_line(error)}", hint="correct the file"
        ) from error


def _without_costly_start(fields: dict[str, Any]) -> dict[str, Any]:
    start = fields.get("init_lora_weights")
    cheaper: dict[str, Any] = {}
    if isinstance(start, str) and start.lower().startswith(_COSTLY_STARTS):
        cheaper["init_lora_weights"] = True
    if "prompt_tuning_init" in fields:
        # Which embeddings it starts from changes no size, and reading them needs weights or a tokenizer.
        cheaper["prompt_tuning_init"] = "RANDOM"
    return fields | cheaper
