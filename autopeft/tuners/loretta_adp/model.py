"""Puts LoRETTA_adp into a model."""

from typing import Any

from torch import nn

from autopeft.tuners.base_model import AdapterModel
from autopeft.tuners.loretta_adp.layer import LorettaAdpLayer


class LorettaAdpModel(AdapterModel):
    """A model with a tensorised bottleneck after each target module (arXiv:2402.11417, section 3.2).

    It has sites * (TT(d, b) + TT(b, d) + b + d) adapter parameters, TT as `TensorTrain` counts them.
    """

    prefix: str = "loretta_adp_"
    tuner_layer_cls = LorettaAdpLayer

    def layer_for(
        self, config: Any, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> LorettaAdpLayer:
        """A layer around any module that has an output width."""
        return LorettaAdpLayer(target, adapter_name)
