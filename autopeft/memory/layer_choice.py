"""Whether a peft configuration treats all layers alike, so that a few of them tell about the rest."""

from collections.abc import Mapping
from typing import Any

# Fields of configurations, peft's and our own, that pick layers, and those that name modules, where a digit may
# pick one.
_PICK_LAYERS = (
    "layers_to_transform",
    "layer_replication",
    "adapter_layers",
    "target_parameters",
    "last_blocks",
    "dropped_share",
    "mixes",
)
# Fields for how many layers in a row share a matrix.
_SHARE_LAYERS = ("stride_A",)
_NAME_MODULES = (
    "target_modules",
    "exclude_modules",
    "modules_to_save",
    "feedforward_modules",
    "rank_pattern",
    "alpha_pattern",
)


def picks_layers(settings: Mapping[str, Any]) -> bool:
    """Whether some layers may be treated unlike others.

    Args:
        settings: fields of the configuration.
    """
    if any(settings.get(name) for name in _PICK_LAYERS) or any((settings.get(name) or 1) > 1 for name in _SHARE_LAYERS):
        return True
    named = (settings.get(name) for name in _NAME_MODULES)
    texts = (text for one in named if one for text in ([one] if isinstance(one, str) else one))
    return any(character.isdigit() for text in texts for character in str(text))
