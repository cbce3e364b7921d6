"""Networks beside a feed-forward block: they read what goes into it and add to what comes out of it.

In BERT and BART the block is no module of its own, so two of its modules are wrapped: the first matrix hands its
input on, the last one adds the branch to its output.
"""

from typing import Any

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import AdapterModel, names_module


class Tap:
    """Carries one tensor from the start of a feed-forward block to its end, within one forward pass."""

    def __init__(self) -> None:
        self._value: torch.Tensor | None = None

    def put(self, value: torch.Tensor) -> None:
        """Keep `value` until it is taken."""
        self._value = value

    def take(self) -> torch.Tensor:
        """Hand the tensor over and keep nothing, so that it is freed when autograd frees it.

        Raises:
            RuntimeError: nothing was put in.
        """
        value, self._value = self._value, None
        if value is None:
            raise RuntimeError("the end of a feed-forward block ran without its start")
        return value


class InputLayer(AdapterLayer):
    """The first matrix of a feed-forward block: computes what it always did, and hands its input to a tap."""

    why_not_merged = "it is a network beside the feed-forward block"

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.tap = Tap()
        self.in_features, _ = _get_in_out_features(self.get_base_layer())

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The wrapped module's output, untouched."""
        if not self.disable_adapters:
            self.tap.put(x)
        result: torch.Tensor = self.base_layer(x, *args, **kwargs)
        return result


class BesideLayer(AdapterLayer):
    """The last matrix of a feed-forward block, with a branch from the block's input added to its output.

    Args:
        base_layer: the block's last matrix.
        adapter_name: of the adapter that it is wrapped for.
        start: the block's first matrix, wrapped.

    Raises:
        ValueError: the block's input and output differ in width.
    """

    def __init__(self, base_layer: nn.Module, adapter_name: str, start: InputLayer) -> None:
        super().__init__(base_layer, adapter_name)
        self.tap = start.tap
        _, self.features = _get_in_out_features(self.get_base_layer())
        if self.features != start.in_features:
            raise ValueError(f"the feed-forward block takes {start.in_features} features and gives {self.features}")

    def branch(self, adapter_name: str, x: torch.Tensor) -> torch.Tensor:
        """What one adapter adds.

        Args:
            adapter_name: one that `add_adapter` has made.
            x: ... x d, the input of the feed-forward block.

        Returns:
            ... x d.
        """
        raise NotImplementedError

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The block's output plus the active branches.

        Args:
            x: input of the block's last matrix.
            *args: handed on to it.
            **kwargs: handed on to it.
        """
        result: torch.Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return result
        block_input = self.tap.take()
        for name in self.present_adapters():
            result = result + self.branch(name, block_input).to(result.dtype)
        return result


class BesideFeedForwardModel(AdapterModel):
    """A model with a branch beside each feed-forward block.

    Of the modules that `config.input_modules` names, the first of each block hands on its input (a gated block
    has two); every other target is the last matrix of a block.
    """

    beside_layer_cls: type[BesideLayer]
    # The first matrix of the block that is being wrapped, until its last one is found. A tuple, since torch would
    # register a bare module as a part of this one.
    _start: tuple[InputLayer, ...] = ()

    def layer_for(
        self, config: Any, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> AdapterLayer | None:
        """The wrapper for the start or for the end of a feed-forward block.

        Raises:
            ValueError: a block's last matrix comes without a first one.
        """
        if names_module(config.input_modules, name):
            if any(isinstance(child, InputLayer) for child in parent.children()):
                return None
            self._start = (InputLayer(target, adapter_name),)
            return self._start[0]
        if not self._start:
            raise ValueError(f"no module among input_modules comes before {name}")
        (start,), self._start = self._start, ()
        return self.beside_layer_cls(target, adapter_name, start)
