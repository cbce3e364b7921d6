"""The base of tuners that train some entries of a weight: what chooses them is the method's own."""

from typing import Any, ClassVar

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import nn

from autopeft.tuners.linear_delta import LinearDeltaLayer
from autopeft.tuners.sparse_entries import dense_matrix, entry_count


class SparseDeltaLayer(LinearDeltaLayer):
    """A linear layer of which k entries of the weight W (out x in) have a trained difference.

        D[p_i] = v_i for i = 1 .. k, elsewhere 0

    The values v start at zero, so that the start is the base; the places p, positions in the flattened weight,
    are saved with them. k is the same share of each matrix: a choice where a paper ranks all matrices together,
    since then shapes, and with them memory, depend on the configuration alone.
    """

    # Names of the two containers, which begin with the method's prefix.
    values_name: ClassVar[str]
    places_name: ClassVar[str]

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        setattr(self, self.values_name, nn.ParameterDict())
        setattr(self, self.places_name, BufferDict(persistent=True))

    def first_places(self, config: Any, count: int) -> torch.Tensor:
        """Where the `count` entries stand at the start, as int32 in rising order."""
        raise NotImplementedError

    def add_adapter(self, adapter_name: str, config: Any) -> None:
        """Make the values, at zero, and choose the places of the adapter `adapter_name`."""
        count = entry_count((self.out_features, self.in_features), config.density)
        getattr(self, self.values_name)[adapter_name] = nn.Parameter(torch.zeros(count))
        getattr(self, self.places_name)[adapter_name] = self.first_places(config, count)

    def delta_weight(self, adapter_name: str) -> torch.Tensor:
        """The difference D, out x in."""
        values, places = getattr(self, self.values_name)[adapter_name], getattr(self, self.places_name)[adapter_name]
        return dense_matrix(values, places, (self.out_features, self.in_features))
