"""The base of tuners that train a whole difference of which few entries are left: they save those alone."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from autopeft.tuners.linear_delta import LinearDeltaModel
from autopeft.tuners.sparse_entries import dense_matrix


class SparselySavedModel(LinearDeltaModel):
    """A tuner whose layers hold a dense parameter `weight_name` and save the difference's entries other than 0.

    In the file each layer has the tensors `<prefix>values` and `<prefix>places` (positions in the flattened
    weight, out x in).
    """

    weight_name: ClassVar[str]

    @classmethod
    def difference(cls, held: Mapping[str, Tensor], stem: str, adapter_name: str) -> Tensor:
        """A layer's difference, out x in, from its tensors; by default the dense parameter itself.

        Args:
            held: all tensors of the adapter, by name.
            stem: name of the layer.
            adapter_name: the last part of each tensor's name.
        """
        return held[f"{stem}.{cls.weight_name}.{adapter_name}"]

    @classmethod
    def beside(cls, kept: Tensor) -> dict[str, Tensor]:
        """What else a loaded layer needs, by container name.

        Args:
            kept: 1 where the difference has an entry, 0 elsewhere, out x in.
        """
        return {}

    @classmethod
    def _get_adapter_state_dict(
        cls,
        model: nn.Module,
        config: Any,
        adapter_name: str,
        state_dict: dict[str, Tensor],
        unwanted_adapter_names: list[str],
    ) -> dict[str, Tensor]:
        held = super()._get_adapter_state_dict(model, config, adapter_name, state_dict, unwanted_adapter_names)
        saved = {}
        for key in held:
            stem = key.removesuffix(f".{cls.weight_name}.{adapter_name}")
            if stem != key:
                flat = cls.difference(held, stem, adapter_name).flatten()
                places = flat.nonzero().squeeze(-1)
                saved[f"{stem}.{cls.prefix}values.{adapter_name}"] = flat[places]
                saved[f"{stem}.{cls.prefix}places.{adapter_name}"] = places.to(torch.int32)
        return saved

    @classmethod
    def _remap_adapter_state_dict_for_load(
        cls, model: nn.Module, config: Any, adapter_name: str, state_dict: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        values, places = f".{cls.prefix}values", f".{cls.prefix}places"
        dense = {key: value for key, value in state_dict.items() if not key.endswith((values, places))}
        for key, held in state_dict.items():
            stem = key.removesuffix(values)
            if stem != key:
                layer: Any = model.get_submodule(stem)
                shape = (layer.out_features, layer.in_features)
                dense[f"{stem}.{cls.weight_name}"] = dense_matrix(held, state_dict[stem + places], shape)
                kept = dense_matrix(torch.ones_like(held), state_dict[stem + places], shape)
                dense |= {f"{stem}.{name}": value for name, value in cls.beside(kept).items()}
        return super()._remap_adapter_state_dict_for_load(model, config, adapter_name, dense)
