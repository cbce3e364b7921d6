"""The repeated layers of a model: what sharding gathers and lets go one at a time."""

from torch import nn


def repeated_layers(model: nn.Module) -> list[nn.Module]:
    """The entries of the outermost module lists, in order; adapters within them are part of them.

    Args:
        model: plain or wrapped by peft.
    """
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    nested = {id(inner) for one in lists for inner in one.modules() if inner is not one}
    return [layer for one in lists if id(one) not in nested for layer in one]
