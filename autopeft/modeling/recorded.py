"""A peft configuration that somebody has written down (`adapter_config.json`), read as a method of its own.

Nothing of it is run, and it costs no import of peft: its fields become the settings of a `MethodSpec`, and
`peft_config` checks them against peft's own configuration class when the adapter is made.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autopeft.catalog.vocabulary import OWN_TUNERS, PEFT_BUILDERS, PEFT_TASK_TYPES
from autopeft.domain.methods import MethodSpec, Source
from autopeft.errors import InputError

FILE_NAME = "adapter_config.json"
# A configuration is a page of JSON; the largest lists target modules one by one.
GREATEST_FILE_BYTES = 1_000_000
# Methods whose configuration names other adapters or models to load.
_BRINGS_OTHERS = frozenset({"XLORA"})
# Fields that make peft import a module, or read weights from elsewhere.
_REACHES_OUT = ("megatron_config", "shadow_model", "prompt_tuning_init_state_dict_path")
# What peft writes for its own use; none of it decides what is trained. A saved adapter says `inference_mode`,
# which would freeze it; the depth is the model's.
HOUSEKEEPING = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "inference_mode",
        "megatron_core",
        "num_layers",
        "peft_type",
        "peft_version",
        "prompt_tuning_init_text",
        "revision",
        "runtime_config",
        "tokenizer_kwargs",
        "tokenizer_name_or_path",
    }
)


@dataclass(frozen=True, slots=True)
class RecordedConfig:
    """What an `adapter_config.json` says.

    Attributes:
        method: whose `settings` are the file's fields as they are; `as_recorded` names the file.
        base_model: name of the base model that it was made for, or None.
        peft_task_type: peft's `TaskType` name, or None.
        fields: all fields that say something, for people.
    """

    method: MethodSpec
    base_model: str | None
    peft_task_type: str | None
    fields: dict[str, Any]


def read_recorded(place: str | Path) -> RecordedConfig:
    """The configuration in a file, or in an adapter's folder.

    Args:
        place: an `adapter_config.json`, or the folder that holds one.

    Raises:
        InputError: unreadable, too large, no JSON object, of a type that is not known, or one that would load
            something else.
    """
    path = Path(place).expanduser()
    path = path / FILE_NAME if path.is_dir() else path
    plain = _read(path)
    peft_type = plain.get("peft_type")
    if not isinstance(peft_type, str) or peft_type not in PEFT_BUILDERS | OWN_TUNERS:
        raise InputError(
            f"{path} has {peft_type!r} as its peft_type, which is no method of peft's",
            hint="name the adapter_config.json of a saved adapter",
        )
    _refuse_what_reaches_out(path, peft_type, plain)
    fields = {name: value for name, value in plain.items() if value is not None and name != "peft_type"}
    task_type, base = fields.get("task_type"), fields.get("base_model_name_or_path")
    if task_type is not None and (not isinstance(task_type, str) or task_type not in PEFT_TASK_TYPES):
        raise InputError(f"{path} has {task_type!r} as its task_type", hint="peft knows " + ", ".join(PEFT_TASK_TYPES))
    return RecordedConfig(
        _method(path, peft_type, fields),
        base if isinstance(base, str) and base else None,
        task_type,
        fields,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > GREATEST_FILE_BYTES:
            raise InputError(f"{path} is larger than 1 MB, which no peft configuration is", hint=f"name {FILE_NAME}")
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint=f"name an {FILE_NAME}, or its folder") from error
    if not isinstance(plain, dict):
        raise InputError(f"{path} holds no JSON object", hint=f"name an {FILE_NAME}, or its folder")
    return plain


def _refuse_what_reaches_out(path: Path, peft_type: str, plain: dict[str, Any]) -> None:
    named = [name for name in _REACHES_OUT if plain.get(name)]
    if peft_type in _BRINGS_OTHERS or named:
        what = named[0] if named else peft_type
        raise InputError(f"{path}: {what} would load other models or code, which is not done", hint="leave it out")


def _method(path: Path, peft_type: str, fields: dict[str, Any]) -> MethodSpec:
    return MethodSpec(
        id=peft_type.lower(),
        title=peft_type,
        family="hybrid",
        builder=peft_type,
        knobs=(),
        summary=f"as recorded in {path.name}",
        sources=(Source(path.name),),
        settings=fields,
        as_recorded=str(path),
    )
