"""Puts LoRTA into a model."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import names_module
from autopeft.tuners.linear_delta import linear_sizes
from autopeft.tuners.lorta.config import LortaConfig
from autopeft.tuners.lorta.layer import LortaLayer
from autopeft.tuners.lorta.places import places_of
from autopeft.tuners.shared_state import SharedStateModel


class LortaModel(SharedStateModel):
    """A model whose attention matrices are updated by slices of one tensor (arXiv:2410.04060).

    It has r (d + d_head + H + L + M) adapter parameters: width, head size, heads, layers, matrices in a layer.
    """

    prefix: str = "lorta_"
    tuner_layer_cls = LortaLayer
    layer_cls = LortaLayer
    shared_names = ("lorta_A", "lorta_B", "lorta_heads", "lorta_layers", "lorta_matrices")

    def make_shared(self, config: LortaConfig, keys: Sequence[str]) -> Mapping[str, torch.Tensor]:
        """The five factors; B at zero.

        Raises:
            ValueError: the head size is not known.
        """
        places = places_of(keys).values()
        head_size = config.head_size or _head_size(getattr(self.model, "config", None))
        width, of_heads = self._sizes(config, keys)
        draw = {
            "lorta_heads": torch.randn(of_heads // head_size, config.r),
            "lorta_layers": torch.randn(1 + max(place.layer for place in places), config.r),
            "lorta_matrices": torch.randn(1 + max(place.matrix for place in places), config.r),
        }
        first = torch.randn(width, config.r) / math.sqrt(width)
        return {"lorta_A": first, "lorta_B": torch.zeros(head_size, config.r), **draw}

    def fill(self, layer: AdapterLayer, adapter_name: str, config: Any) -> None:
        """Give `layer` its place in the tensor."""
        if isinstance(layer, LortaLayer):
            named = self.model.named_modules()
            keys = [key for key, _ in named if key and self._check_target_module_exists(config, key)]
            layer.place = places_of(keys)[layer.key]
        super().fill(layer, adapter_name, config)

    def _sizes(self, config: LortaConfig, keys: Sequence[str]) -> tuple[int, int]:
        """The model's width d, and the largest number of entries of all heads together."""
        width, most = 0, 0
        for key in keys:
            ends = linear_sizes(self.model.get_submodule(key))
            width, of_heads = reversed(ends) if names_module(config.transposed_modules, key) else ends
            most = max(most, of_heads)
        return width, most


def _head_size(config: Any) -> int:
    for name in ("head_dim", "d_kv"):
        if isinstance(getattr(config, name, None), int):
            return getattr(config, name)
    if getattr(config, "hidden_size", None) and getattr(config, "num_attention_heads", None):
        return config.hidden_size // config.num_attention_heads
    raise ValueError("head_size is not set and the model's configuration does not tell it")
