"""Refusing a config that brings code of its own; apart from `config`, so that it costs no import of transformers."""

from collections.abc import Mapping
from typing import Any

from autopeft.errors import ModelError


def check_runs_no_code(config: Mapping[str, Any], name: str) -> None:
    """Refuse a config that brings its own code.

    Args:
        config: the content of a config.json.
        name: of the model, for the error.

    Raises:
        ModelError: it has an `auto_map`.
    """
    if config.get("auto_map"):
        raise ModelError(
            f"{name} needs code of its own (`auto_map` in config.json), and autopeft never runs such code",
            hint="use a model that transformers supports by itself",
        )
