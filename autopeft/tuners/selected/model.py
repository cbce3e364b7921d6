"""Puts selective tuning into a model."""

import re
from typing import Any

from torch import nn

from autopeft.tuners.base_model import AdapterModel, names_module
from autopeft.tuners.selected.config import SelectedConfig
from autopeft.tuners.selected.layer import SelectedLayer

_BLOCK = re.compile(r"(?P<stack>.*?)\.(?P<number>\d+)\.")


class SelectedModel(AdapterModel):
    """A model whose targeted modules train in full, in all blocks or in the last ones."""

    prefix: str = "selected_"
    # The blocks that train, each as the beginning of its modules' names; None: all.
    _blocks: tuple[str, ...] | None = None

    def _prepare_adapter_config(self, peft_config: SelectedConfig, model_config: dict[str, Any]) -> SelectedConfig:
        config: SelectedConfig = super()._prepare_adapter_config(peft_config, model_config)
        self._blocks = last_blocks(self.model, config) if config.last_blocks else None
        return config

    def layer_for(
        self, config: SelectedConfig, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> SelectedLayer | None:
        """A trained copy for every target with weights in a block that trains."""
        # A norm that a model leaves out is a module without weights.
        outside = self._blocks is not None and not name.startswith(self._blocks)
        if outside or next(target.parameters(), None) is None:
            return None
        return SelectedLayer(target, adapter_name)

    def _cast_adapter_dtype(self, adapter_name: str, autocast_adapter_dtype: bool = True) -> None:
        """Keep the copies in the base's dtype: nothing casts what goes into them."""


def last_blocks(model: nn.Module, config: SelectedConfig) -> tuple[str, ...]:
    """How the names of the modules in the last `config.last_blocks` blocks begin.

    Args:
        model: with the blocks of each stack numbered; the last stack is the one nearest to the output.
        config: with the targets.

    Raises:
        ValueError: no target is in a numbered block, or there are fewer blocks.
    """
    targets = [name for name, _ in model.named_modules() if names_module(config.target_modules, name)]
    found = [match for name in targets if (match := _BLOCK.match(name))]
    if not found:
        raise ValueError("none of the targeted modules is in a numbered block")
    stack = found[-1]["stack"]
    depth = 1 + max(int(match["number"]) for match in found if match["stack"] == stack)
    if config.last_blocks > depth:
        raise ValueError(f"last_blocks is {config.last_blocks}, and {stack} has {depth} blocks")
    return tuple(f"{stack}.{number}." for number in range(depth - config.last_blocks, depth))
