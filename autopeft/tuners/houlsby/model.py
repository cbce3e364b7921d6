"""Puts Houlsby adapters into a model."""

import re

from torch import nn

from autopeft.tuners.base_model import AdapterModel
from autopeft.tuners.houlsby.config import HoulsbyConfig
from autopeft.tuners.houlsby.layer import HoulsbyLayer

_NUMBERED = re.compile(r"(.*?)\.(\d+)\.")


class HoulsbyModel(AdapterModel):
    """A model with a bottleneck after each target module (arXiv:1902.00751).

    It has sites * (2db + b + d) adapter parameters, for d outputs and bottleneck size b; with AdapterDrop
    (arXiv:2010.11918) the lowest layers have no sites, and no gradient goes down to them. Choices: the share is fixed
    in training and after (the paper's specialised form), rounded down, and of the encoder and the decoder alike.
    """

    prefix: str = "houlsby_"

    def layer_for(
        self, config: HoulsbyConfig, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> HoulsbyLayer | None:
        """A bottleneck after the target, unless its layer is dropped."""
        return None if self._is_dropped(name, config.dropped_share) else HoulsbyLayer(target, adapter_name)

    def _is_dropped(self, name: str, share: float) -> bool:
        found = _NUMBERED.match(name)
        if found is None or share == 0:
            return False
        stack, number = found.groups()
        matches = (_NUMBERED.match(other) for other, _ in self.model.named_modules())
        depth = 1 + max(int(match.group(2)) for match in matches if match and match.group(1) == stack)
        return int(number) < int(share * depth)
