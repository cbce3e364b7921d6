"""The fields and starting values of every configuration of the installed peft, as plain data.

`python tests/contract/peft_configs.py` writes them to peft_configs.json beside this file: read the difference, and
mend the catalogue where a method appeared, disappeared or changed.
"""

import dataclasses
import enum
import json
from pathlib import Path
from typing import Any

from peft.config import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from autopeft.catalog.vocabulary import OWN_BUILDERS

RECORDED = Path(__file__).with_suffix(".json")
_EVERYWHERE = {field.name for field in dataclasses.fields(PeftConfig)}


def installed_configs() -> dict[str, dict[str, Any]]:
    """PeftType name -> field -> its starting value, without the fields that every configuration has."""
    return {
        str(kind.name): {f.name: _start(f) for f in dataclasses.fields(config) if f.name not in _EVERYWHERE}
        for kind, config in sorted(PEFT_TYPE_TO_CONFIG_MAPPING.items(), key=lambda pair: pair[0].name)
        if kind.name not in OWN_BUILDERS
    }


def _start(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "no starting value"
    if isinstance(value, enum.Enum):
        return value.value
    return value if isinstance(value, str | int | float | bool | list | dict | None) else repr(value)


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(installed_configs(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
