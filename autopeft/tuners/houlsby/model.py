"""Puts Houlsby adapters into a model."""

from typing import Any, ClassVar

from peft.tuners.tuners_utils import BaseTuner
from torch import nn

from autopeft.tuners.houlsby.config import HoulsbyConfig
from autopeft.tuners.houlsby.layer import HoulsbyLayer


class HoulsbyModel(BaseTuner):
    """A model with a bottleneck after each target module (arXiv:1902.00751).

    It has sites * (2db + b + d) adapter parameters, for d outputs and bottleneck size b.
    """

    prefix: str = "houlsby_"
    tuner_layer_cls = HoulsbyLayer
    # No default targets: autopeft always names them.
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def _create_and_replace(
        self,
        peft_config: HoulsbyConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **kwargs: Any,
    ) -> None:
        if isinstance(target, HoulsbyLayer):
            target.update_layer(adapter_name, peft_config)
            return
        layer = HoulsbyLayer(target, adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)
