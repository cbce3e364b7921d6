"""The depth of a model, and the same model with fewer layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
# One layer is the first and the last at once, so nothing is seen of those between.
_FEWEST_LAYERS = 2
# Models of at most so many layers are traced whole: shallow traces would cost as much.
_FEW_LAYERS = 5
# Lists with one entry for each layer, by which layers differ in kind.
_KIND_FIELDS = ("layer_types", "mlp_layer_types", "no_rope_layers")


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers that repeat: all of a model's, or those of one side of an encoder-decoder.

    Attributes:
        fields: of the config that state their number.
        layers: that number.
        period: after how many layers their kinds repeat; 1 where all are equal.
    """

    fields: tuple[str, ...]
    layers: int
    period: int = 1

    @property
    def fewest(self) -> int:
        """The fewest layers that can show what repeats and that end with the same kind of layer as the whole."""
        start = max(_FEWEST_LAYERS, self.period)
        return start + (self.layers - start) % self.period

    @property
    def is_deep(self) -> bool:
        """Whether shallow traces cost less than one of the whole."""
        return self.layers > _FEW_LAYERS and self.fewest + self.period < self.layers


def stacks_of(model: ModelSpec, kinds: Mapping[str, Sequence[Any]]) -> tuple[Stack, ...] | None:
    """The stacks of layers, or None where their kinds do not repeat or their number is not stated.

    An encoder-decoder whose sides are equally deep is one stack: both sides are cut alike.

    Args:
        model: the base.
        kinds: from `layer_kinds`.
    """
    by_depth: dict[int, list[str]] = {}
    for name in _DEPTH_FIELDS:
        if isinstance(model.config.get(name), int):
            by_depth.setdefault(int(model.config[name]), []).append(name)
    period = _period(list(zip(*kinds.values(), strict=True)))
    if not by_depth or period is None or (period > 1 and len(by_depth) > 1):
        return None
    return tuple(Stack(tuple(names), layers, period) for layers, names in by_depth.items())


def layer_kinds(config: object) -> dict[str, Sequence[Any]]:
    """The lists by which the layers of a transformers config differ in kind.

    Args:
        config: with transformers' own defaults filled in.
    """
    found = {name: getattr(config, name, None) for name in _KIND_FIELDS}
    return {name: kinds for name, kinds in found.items() if isinstance(kinds, list | tuple) and kinds}


def with_layers(model: ModelSpec, layers: int) -> ModelSpec:
    """`model` with `layers` layers; in an encoder-decoder on either side."""
    fields = tuple(name for name in _DEPTH_FIELDS if isinstance(model.config.get(name), int))
    return with_depths(model, {Stack(fields, layers): layers})


def with_depths(model: ModelSpec, depths: Mapping[Stack, int]) -> ModelSpec:
    """`model` with fewer layers: the first ones of each stack.

    Args:
        model: the base.
        depths: layers to keep, by stack.
    """
    config: dict[str, Any] = dict(model.config)
    for stack, layers in depths.items():
        config |= dict.fromkeys(stack.fields, layers)
        for name in _KIND_FIELDS:
            if isinstance(config.get(name), list):
                config[name] = config[name][:layers]
    return replace(model, config=config, path=None)


def _period(kinds: Sequence[tuple[Any, ...]]) -> int | None:
    """The length of the shortest pattern that the kinds repeat at least twice."""
    for period in range(1, len(kinds) // 2 + 1):
        if all(one == other for one, other in zip(kinds[period:], kinds, strict=False)):
            return period
    return None if kinds else 1
