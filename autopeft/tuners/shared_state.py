"""The base of tuners that train tensors which many layers share: they belong to the model, not to a layer."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.linear_delta import LinearDeltaLayer, LinearDeltaModel


class SharedView:
    """What a layer holds of its model's shared parameters: no module, so that nothing is registered twice."""

    def __init__(self, held: Mapping[str, nn.ParameterDict]) -> None:
        self._held = held

    def get(self, name: str, adapter_name: str) -> torch.Tensor:
        """The shared parameter `name` of one adapter."""
        return self._held[name][adapter_name]


class SharedStateLayer(LinearDeltaLayer):
    """A linear layer whose difference is computed from parameters of the whole model."""

    shared: SharedView


class SharedStateModel(LinearDeltaModel):
    """A tuner with shared parameters: each named one is a `ParameterDict` by adapter name on the tuner itself.

    They are saved once. A layer of class `layer_cls`, a `SharedStateLayer`, reaches them through its `shared`.
    """

    uses_shared_state = True
    shared_names: ClassVar[tuple[str, ...]]

    def make_shared(self, config: Any, keys: Sequence[str]) -> Mapping[str, torch.Tensor]:
        """The initial values of one adapter's shared parameters, one for each of `shared_names`.

        Args:
            config: the method's configuration.
            keys: names of all the modules that the adapter targets, in the model's order.

        Raises:
            ValueError: the targets do not suit the method.
        """
        raise NotImplementedError

    def fill(self, layer: AdapterLayer, adapter_name: str, config: Any) -> None:
        """Give `layer` its values; the first layer of an adapter has the shared ones made, on its device."""
        if adapter_name not in getattr(self, self.shared_names[0]):
            named = self.model.named_modules()
            keys = [key for key, _ in named if key and self._check_target_module_exists(config, key)]
            for name, value in self.make_shared(config, keys).items():
                getattr(self, name)[adapter_name] = nn.Parameter(value.to(layer.get_base_layer().weight.device))
        if isinstance(layer, SharedStateLayer):
            layer.shared = SharedView({name: getattr(self, name) for name in self.shared_names})
        super().fill(layer, adapter_name, config)

    def set_adapter(self, adapter_name: str | list[str], inference_mode: bool = False) -> None:
        """Make adapters the active ones.

        Args:
            adapter_name: one or several.
            inference_mode: freeze them.
        """
        super().set_adapter(adapter_name, inference_mode=inference_mode)
        self._train_only(self.active_adapters, not inference_mode)

    def delete_adapter(self, adapter_name: str) -> None:
        """Remove one adapter, its shared parameters too."""
        super().delete_adapter(adapter_name)
        for name in self.shared_names:
            del getattr(self, name)[adapter_name]

    def _pre_injection_hook(self, model: nn.Module, config: Any, adapter_name: str) -> None:
        for name in self.shared_names:
            setattr(self, name, nn.ParameterDict())

    def _mark_only_adapters_as_trainable(self, model: nn.Module) -> None:
        super()._mark_only_adapters_as_trainable(model)
        frozen = any(self.peft_config[name].inference_mode for name in self.active_adapters)
        self._train_only(self.active_adapters, not frozen)

    def _train_only(self, adapter_names: Sequence[str], train: bool) -> None:
        for name in self.shared_names:
            for key, parameter in getattr(self, name).items():
                parameter.requires_grad_(train and key in adapter_names)
