"""Puts BitFit into a model."""

from typing import Any, ClassVar

from peft.tuners.tuners_utils import BaseTuner
from torch import nn

from autopeft.tuners.bitfit.config import BitFitConfig
from autopeft.tuners.bitfit.layer import BIASED_TYPES, BitFitLayer


class BitFitModel(BaseTuner):
    """A model whose biases train, and nothing else (arXiv:2106.10199)."""

    prefix: str = "bitfit_"
    tuner_layer_cls = BitFitLayer
    # No default targets: autopeft always names them.
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def _create_and_replace(
        self,
        peft_config: BitFitConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **kwargs: Any,
    ) -> None:
        if isinstance(target, BitFitLayer):
            target.update_layer(adapter_name, peft_config.inference_mode)
            return
        if not isinstance(target, BIASED_TYPES) or target.bias is None:
            return
        layer = BitFitLayer(target, adapter_name, peft_config.inference_mode)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)

    def _post_injection_hook(self, model: nn.Module, config: BitFitConfig, adapter_name: str) -> None:
        if not any(isinstance(module, BitFitLayer) for module in model.modules()):
            raise ValueError("none of the targeted modules has a bias")
