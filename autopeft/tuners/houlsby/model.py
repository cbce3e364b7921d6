"""Puts Houlsby adapters into a model."""

from torch import nn

from autopeft.tuners.base_model import AdapterModel
from autopeft.tuners.houlsby.config import HoulsbyConfig
from autopeft.tuners.houlsby.layer import HoulsbyLayer


class HoulsbyModel(AdapterModel):
    """A model with a bottleneck after each target module (arXiv:1902.00751).

    It has sites * (2db + b + d) adapter parameters, for d outputs and bottleneck size b.
    """

    prefix: str = "houlsby_"

    def layer_for(
        self, config: HoulsbyConfig, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> HoulsbyLayer:
        """A bottleneck after every target."""
        return HoulsbyLayer(target, adapter_name)
