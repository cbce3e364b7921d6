"""What the models of all own tuners share: each target module is replaced by the layer that wraps it."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from peft.tuners.tuners_utils import BaseTuner
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer


class AdapterModel(BaseTuner):
    """A model whose target modules are wrapped; a subclass says by what in `layer_for`."""

    tuner_layer_cls = AdapterLayer
    # No default targets: autopeft always names them.
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def layer_for(
        self, config: Any, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> AdapterLayer | None:
        """The layer that is to stand in place of `target`; None leaves the module alone.

        Args:
            config: of the method.
            adapter_name: of the adapter that is put in.
            name: full name of the module.
            target: the module itself, not yet wrapped.
            parent: the module that it belongs to.

        Raises:
            ValueError: the method cannot be put there.
        """
        raise NotImplementedError

    def fill(self, layer: AdapterLayer, adapter_name: str, config: Any) -> None:
        """Give `layer` the values of the adapter `adapter_name`."""
        layer.update_layer(adapter_name, config)

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
        if isinstance(target, AdapterLayer):
            self.fill(target, adapter_name, peft_config)
            return
        layer = self.layer_for(peft_config, adapter_name, current_key, target, parent)
        if layer is None:
            return
        self.fill(layer, adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)


def names_module(modules: Sequence[str] | str | None, name: str) -> bool:
    """Whether a configuration's field names this module, as peft reads `target_modules`.

    Args:
        modules: a list of name endings, or one regular expression that must match the whole name.
        name: full name of the module.
    """
    if isinstance(modules, str):
        return re.fullmatch(modules, name) is not None
    return any(name == ending or name.endswith(f".{ending}") for ending in modules or ())
