"""The layer of LoRTA: one slice of the tensor that all attention matrices share."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from autopeft.tuners.base_model import names_module
from autopeft.tuners.lorta.config import LortaConfig
from autopeft.tuners.lorta.places import Place
from autopeft.tuners.shared_state import SharedStateLayer


@dataclass(frozen=True, slots=True)
class Slice:
    """What one adapter does in one layer: its place, whether heads are inputs, and the factor alpha / r."""

    place: Place
    transposed: bool
    scale: float


class LortaLayer(SharedStateLayer):
    """An attention projection whose update is a slice of a 5-way CP tensor (arXiv:2410.04060, section 3).

        T[:, :, h, l, m] = A diag(C_heads[h] * C_layers[l] * C_matrices[m]) B^T
        D = alpha / r * the heads' slices T[:, :, h, l, m]^T, one below the other (query, key, value)
        D = alpha / r * the heads' slices T[:, :, h, l, m], side by side (output projection)

    A: d x r, B: d_head x r, C_heads: H x r, C_layers: L x r, C_matrices: M x r, all shared by the whole model.

    Choices: B starts at zero and the others are drawn (A from N(0, 1/d), the three C from N(0, 1)), so that the
    start is the base; with fewer key and value heads than query heads, those use the first rows of C_heads; an
    encoder's and a decoder's blocks are layers of one tensor, self- and cross-attention matrices of their own.
    The facts behind it are recalled from the abstract and the summary; the paper's text was not at hand.
    """

    other_param_names = ("lorta_slices",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.lorta_slices: dict[str, Slice] = {}
        self.place = Place(0, 0)

    def add_adapter(self, adapter_name: str, config: LortaConfig) -> None:
        """Note the slice of the adapter `adapter_name`.

        Raises:
            ValueError: the sizes of this layer do not fit the tensor.
        """
        transposed = names_module(config.transposed_modules, self.key)
        width, of_heads = (self.out_features, self.in_features) if transposed else (self.in_features, self.out_features)
        first, second, heads = (self.shared.get(f"lorta_{name}", adapter_name) for name in ("A", "B", "heads"))
        if width != first.shape[0] or of_heads % second.shape[0] or of_heads // second.shape[0] > heads.shape[0]:
            raise ValueError(f"{self.key} is no {first.shape[0]} wide matrix of heads of {second.shape[0]}")
        self.lorta_slices[adapter_name] = Slice(self.place, transposed, config.alpha / config.r)

    def branch(self, x: torch.Tensor, adapter_name: str) -> torch.Tensor:
        """D x through the rank, without D."""
        outer, inner = self._factors(adapter_name)
        return functional.linear(functional.linear(self._cast_input_dtype(x, inner.dtype), inner), outer)

    def delta_weight(self, adapter_name: str) -> torch.Tensor:
        """The difference D, out x in."""
        outer, inner = self._factors(adapter_name)
        return outer @ inner

    def _factors(self, adapter_name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """D as (out x k) @ (k x in): k is r, or for each head r where the heads are the outputs or inputs."""
        cut = self.lorta_slices[adapter_name]
        first, second = self.shared.get("lorta_A", adapter_name), self.shared.get("lorta_B", adapter_name)
        mixed = self.shared.get("lorta_layers", adapter_name)[cut.place.layer]
        mixed = mixed * self.shared.get("lorta_matrices", adapter_name)[cut.place.matrix] * cut.scale
        count = (self.in_features if cut.transposed else self.out_features) // second.shape[0]
        heads = self.shared.get("lorta_heads", adapter_name)[:count]
        # (heads * d_head) x r: row (h, j) is C_heads[h] * B[j].
        of_heads = (heads[:, None, :] * second[None, :, :]).reshape(-1, second.shape[1]) * mixed
        return (first, of_heads.T) if cut.transposed else (of_heads, first.T)
