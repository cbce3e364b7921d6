"""Puts SMILE's experts into a model."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from autopeft.tuners.base_model import AdapterModel
from autopeft.tuners.linear_delta import LINEAR_TYPES
from autopeft.tuners.smile.layer import SmileLayer


class SmileModel(AdapterModel):
    """A model whose target linear layers mix low-rank experts, token by token (arXiv:2408.10174).

    A layer has experts * (rank * (in + out) + gate_rank * in + out) adapter parameters; none of them trains.
    """

    prefix: str = "smile_"
    tuner_layer_cls = SmileLayer

    def layer_for(self, config: Any, adapter_name: str, name: str, target: nn.Module, parent: nn.Module) -> SmileLayer:
        """The layer for one linear layer.

        Raises:
            ValueError: the module is not linear.
        """
        if not isinstance(target, LINEAR_TYPES):
            raise ValueError(f"{name} is a {type(target).__name__}, not a linear layer")
        return SmileLayer(target, adapter_name)

    def fill_experts(self, differences: Mapping[str, Sequence[Tensor]], biases: Mapping[str, Sequence[Tensor]]) -> None:
        """Set the experts of every layer.

        Args:
            differences: module name -> what each adapter added to its weight, out x in.
            biases: module name -> what each adapter added to its bias.
        """
        for name, layer in self.model.named_modules():
            if isinstance(layer, SmileLayer):
                for adapter in layer.present_adapters():
                    layer.fill(adapter, differences[name], biases[name])
