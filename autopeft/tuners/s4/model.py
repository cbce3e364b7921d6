"""Puts S4 into a model."""

import re

from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import names_module
from autopeft.tuners.prefix_layer import PrefixedModel
from autopeft.tuners.s4.config import S4Config
from autopeft.tuners.s4.layer import S4OutputLayer, S4ProjectionLayer

_NUMBERED = re.compile(r"(.*?)\.(\d+)\.")
# Where in the depth a group ends: of twelve layers 2, 4, 4 and 2, a spindle.
_ENDS = (1 / 6, 1 / 2, 5 / 6, 1.0)


class S4Model(PrefixedModel):
    """A model whose layers, in four groups from the lowest, tune each their own mix (arXiv:2301.01821).

        lowest: adapter, LoRA;  then: adapter, prefix;  then: adapter, prefix, biases;  highest: prefix, biases, LoRA

    With w the width, d the model's, LoRA on queries and values, and keys as wide as d: an adapter takes w d + w / 2 + d
    parameters, a prefix w d, LoRA w d, biases 2 d (3 d beside an adapter): about 2 w d a layer, whatever it tunes.

    Choices, since only the pattern is at hand: group sizes 2 : 4 : 4 : 2 by the middle of a layer (a model of two
    layers has the two middle groups); encoder and decoder are grouped each by its own depth, cross attention with its
    layer; serial adapters after the feed-forward; flat prefixes; biases are those of queries, values and the
    feed-forward's output, and where the base has none there, the layer gets one.
    """

    prefix: str = "s4_"

    def layer_for(
        self, config: S4Config, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> AdapterLayer | None:
        """The part that belongs to this module; None where its group has nothing for it.

        Raises:
            ValueError: query and key are one matrix, or the module belongs to no numbered layer.
        """
        mix = config.mixes[self._group_of(name)]
        has_lora = names_module(config.lora_modules, name)
        has_prefix = names_module(config.prefix_modules, name)
        if has_lora and has_prefix:
            raise ValueError(f"{name} makes queries and keys in one; S4 needs a matrix for each")
        if has_prefix:
            return self.prefix_layer(adapter_name, name, target) if "p" in mix else None
        if has_lora:
            return S4ProjectionLayer(target, adapter_name, mix) if {"l", "b"} & set(mix) else None
        return S4OutputLayer(target, adapter_name, mix) if {"a", "b"} & set(mix) else None

    def _group_of(self, name: str) -> int:
        found = _NUMBERED.match(name)
        if found is None:
            raise ValueError(f"{name} belongs to no numbered layer")
        stack, number = found.groups()
        matches = (_NUMBERED.match(other) for other, _ in self.model.named_modules())
        depth = 1 + max(int(match.group(2)) for match in matches if match and match.group(1) == stack)
        return group_at((int(number) + 0.5) / depth)


def group_at(height: float) -> int:
    """The group that a layer belongs to, from 0 for the lowest.

    Args:
        height: of its middle in the stack, from 0 to 1.
    """
    return next(group for group, end in enumerate(_ENDS) if height < end)
