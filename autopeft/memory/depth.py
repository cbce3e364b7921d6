"""The depth of a model, and the same model with fewer layers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autopeft.domain.models import ModelSpec

# What the families of transformers call their number of layers; an encoder-decoder has two of them.
_DEPTH_FIELDS = (
    "num_hidden_layers",
    "num_layers",
    "num_decoder_layers",
    "n_layer",
    "n_layers",
    "encoder_layers",
    "decoder_layers",
)


def layers_of(model: ModelSpec, layer_types: Sequence[str] | None = None) -> int | None:
    """The number of equal layers, or None where layers differ or their number is not stated once.

    An encoder-decoder counts only if both sides are equally deep.

    Args:
        model: the base.
        layer_types: kinds of its layers, where transformers' config tells them apart.
    """
    depths = {int(model.config[name]) for name in _fields(model.config)}
    if len(depths) != 1 or len(set(layer_types or ())) > 1:
        return None
    return depths.pop()


def with_layers(model: ModelSpec, layers: int) -> ModelSpec:
    """`model` with `layers` layers; in an encoder-decoder on either side."""
    config: dict[str, Any] = dict(model.config) | dict.fromkeys(_fields(model.config), layers)
    if isinstance(config.get("layer_types"), list):
        config["layer_types"] = config["layer_types"][:layers]
    return replace(model, config=config, path=None)


def _fields(config: Mapping[str, Any]) -> list[str]:
    return [name for name in _DEPTH_FIELDS if isinstance(config.get(name), int)]
