"""Refusing a config whose numbers no model has, before anything of that size is counted or made."""

import re
from collections.abc import Mapping
from typing import Any

from autopeft.errors import ModelError

# A hundred times what the deepest and the widest published models have.
GREATEST_DEPTH = 10_000
GREATEST_SIZE = 10**8
_DEPTH = re.compile(r"layer", re.IGNORECASE)
_SIZE = re.compile(r"(_size|_dim|_model|_ff|_kv|_inner|_embd|_heads?|_experts|_rank)$", re.IGNORECASE)


def check_sizes_are_possible(config: Mapping[str, Any], name: str) -> None:
    """Refuse a depth or a size that no model has, at any level of the config.

    Args:
        config: the content of a config.json.
        name: of the model, for the error.

    Raises:
        ModelError: a number of layers above ten thousand, or another size above a hundred million.
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            check_sizes_are_possible(value, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        most = GREATEST_DEPTH if _DEPTH.search(key) else GREATEST_SIZE if _SIZE.search(key) else None
        if most is not None and not value <= most:
            raise ModelError(
                f"the config of {name} has {key} {value:.3g}, and no model has more than {most:,}",
                hint="correct its config.json",
            )
