"""The base of tuners that add a trained difference to the weight of linear layers."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers.pytorch_utils import Conv1D

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import AdapterModel

LINEAR_TYPES = (nn.Linear, Conv1D)


class LinearDeltaLayer(AdapterLayer):
    """A `Linear` or `Conv1D` with weight W (out x in) and trained differences D on it.

        y = W x + b + sum over the active adapters of D x

    A subclass makes the parameters (`add_adapter`) and says what D is (`delta_weight`); where D x is cheaper
    without D, it also says `branch`. D x is a product of its own rather than part of (W + D) x, so that a base
    in half precision does not round small differences away. D is made again in the backward pass: kept, it
    would take as much memory as the weights.

    Args:
        base_layer: the module to wrap.
        adapter_name: of the adapter that it is wrapped for.
        key: name of the module in the model.
    """

    # Whether `delta_weight` draws at random, which the backward pass then has to draw again.
    draws: ClassVar[bool] = False

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name)
        self.key = key
        self._unmerged_weight: list[nn.Parameter] = []
        base = self.get_base_layer()
        self.transposed = isinstance(base, Conv1D)
        self.in_features, self.out_features = linear_sizes(base)

    def delta_weight(self, adapter_name: str) -> torch.Tensor:
        """The difference D of one adapter, out x in."""
        raise NotImplementedError

    def branch(self, x: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """D x for an input of shape ... x in; gives ... x out."""

        def product(inputs: torch.Tensor) -> torch.Tensor:
            delta = self.delta_weight(adapter_name)
            return functional.linear(self._cast_input_dtype(inputs, delta.dtype), delta)

        if not torch.is_grad_enabled():
            return product(x)
        result: torch.Tensor = checkpoint(product, x, use_reentrant=False, preserve_rng_state=self.draws)
        return result

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """`result` plus D x of one adapter."""
        return result + self.branch(x, adapter_name).to(result.dtype)

    def present_adapters(self) -> Iterator[str]:
        """The active adapters that this layer belongs to; none while adapters are disabled."""
        return (name for name in self.active_adapters if not self.disable_adapters and self.has_adapter(name))

    def has_adapter(self, adapter_name: str) -> bool:
        """Whether this layer belongs to the adapter `adapter_name`."""
        names: list[str] = [*self.adapter_layer_names, *self.other_param_names]
        return adapter_name in getattr(self, names[0])

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Put the differences into the base's weight, as a new tensor: the old one may be shared.

        Args:
            safe_merge: refuse a result that is not finite.
            adapter_names: which; by default the active ones.

        Raises:
            ValueError: `safe_merge` found a value that is not finite, or the weight is quantised.
        """
        base = self.get_base_layer()
        for name in check_adapters_to_merge(self, adapter_names):
            if not self.has_adapter(name):
                continue
            if not base.weight.is_floating_point():
                raise ValueError("an adapter of this method cannot be merged into a quantised weight")
            with torch.no_grad():
                delta = self.delta_weight(name)
            weight = (base.weight.detach() + (delta.T if self.transposed else delta)).to(base.weight.dtype)
            if safe_merge and not torch.isfinite(weight).all():
                raise ValueError(f"the adapter {name} would make the weight infinite or undefined")
            if not self._unmerged_weight:
                self._unmerged_weight = [base.weight]
            base.weight = nn.Parameter(weight, requires_grad=False)
            self.merged_adapters.append(name)

    def unmerge(self) -> None:
        """Put the base's own weight back, bit for bit."""
        if self._unmerged_weight:
            self.get_base_layer().weight = self._unmerged_weight.pop()
        self.merged_adapters.clear()

    def base_weight(self) -> torch.Tensor:
        """The base's own weight, out x in, without gradient; merged differences are not in it."""
        held = self._unmerged_weight[0] if self._unmerged_weight else self.get_base_layer().weight
        return held.detach().T if self.transposed else held.detach()


class LinearDeltaModel(AdapterModel):
    """A model whose target linear layers have trained differences on their weights."""

    layer_cls: ClassVar[type[LinearDeltaLayer]]

    def layer_for(
        self, config: Any, adapter_name: str, name: str, target: nn.Module, parent: nn.Module
    ) -> LinearDeltaLayer:
        """The layer for one linear layer.

        Raises:
            ValueError: the module is not linear.
        """
        if not isinstance(target, LINEAR_TYPES):
            raise ValueError(f"{name} is a {type(target).__name__}, not a linear layer")
        return self.layer_cls(target, adapter_name, name)


def linear_sizes(module: Any) -> tuple[int, int]:
    """Inputs and outputs of a `Linear`, a `Conv1D` or a layer that wraps one."""
    sizes = module.weight.shape if isinstance(module, Conv1D) else (module.in_features, module.out_features)
    return int(sizes[0]), int(sizes[1])
