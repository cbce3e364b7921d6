"""Where a module stands in the tensor of LoRTA: its layer and its matrix."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LAYER = re.compile(r"(.*?\.\d+)\.(.*)")


@dataclass(frozen=True, slots=True)
class Place:
    """Indices of one module along the tensor's modes.

    Attributes:
        layer: of its transformer block; an encoder's and a decoder's blocks are counted on.
        matrix: of its name within the block.
    """

    layer: int
    matrix: int


def places_of(keys: Sequence[str]) -> dict[str, Place]:
    """The place of each module: what comes up to the first number of its name is its layer, the rest its matrix.

    Args:
        keys: dotted names, in the model's order.

    Raises:
        ValueError: a module lies in no numbered block.
    """
    split = {key: _LAYER.fullmatch(key) for key in keys}
    if outside := [key for key, found in split.items() if found is None]:
        raise ValueError(f"{outside[0]} lies in no numbered layer")
    parts = {key: found.groups() for key, found in split.items() if found is not None}
    layers = list(dict.fromkeys(layer for layer, _ in parts.values()))
    matrices = list(dict.fromkeys(matrix for _, matrix in parts.values()))
    return {key: Place(layers.index(layer), matrices.index(matrix)) for key, (layer, matrix) in parts.items()}
