"""Puts Ladder Side-Tuning onto a model."""

import re
from typing import Any, ClassVar

from peft.tuners.tuners_utils import BaseTuner, _get_in_out_features
from torch import nn

from autopeft.tuners.lst.layer import Ladder, LstLayer

_BLOCK = re.compile(r"((?:.*?\.)?)(\d+)\..*")


class LstModel(BaseTuner):
    """A frozen model with a side network that is 1 / reduction as wide (arXiv:2206.06522).

    With k = d // reduction and N blocks it has N (1 + kd + k + 8k^2) + 2kd + k adapter parameters.
    """

    prefix: str = "lst_"
    tuner_layer_cls = LstLayer
    # No default targets: autopeft always names them.
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def _pre_injection_hook(self, model: nn.Module, config: Any, adapter_name: str) -> None:
        keys = [key for key, _ in model.named_modules() if key and self._check_target_module_exists(config, key)]
        blocks = list(dict.fromkeys(_block_of(key) for key in keys))
        # Of several stacks the last one has the ladder: an encoder's could have no gradient.
        self.blocks = [block for block in blocks if block.rpartition(".")[0] == blocks[-1].rpartition(".")[0]]
        self.ladder = Ladder()

    def _create_and_replace(
        self,
        peft_config: Any,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **kwargs: Any,
    ) -> None:
        name = _block_of(current_key)
        block = self.model.get_submodule(name)
        if name not in self.blocks or isinstance(block, LstLayer):
            return
        _, width = _get_in_out_features(target)
        ends = (name == self.blocks[0], name == self.blocks[-1])
        layer = LstLayer(block, adapter_name, self.ladder, int(width), ends)
        layer.update_layer(adapter_name, peft_config)
        holder, _, place = name.rpartition(".")
        self._replace_module(self.model.get_submodule(holder), place, layer, block)


def _block_of(key: str) -> str:
    """Name of the numbered block that a module lies in.

    Raises:
        ValueError: it lies in none.
    """
    found = _BLOCK.fullmatch(key)
    if found is None:
        raise ValueError(f"{key} lies in no numbered block")
    return found[1] + found[2]
