"""Prefixes within attention: trained keys and values that every query sees before the text's own.

transformers calls one function per attention, chosen by name from its public `AttentionInterface`. The attention
modules that carry a prefix get a function of ours, which puts the prefix before keys and values, widens mask and
position bias, and then calls the function that would have run. That works on every model whose attention goes
through the interface, needs no cache and leaves gradient checkpointing alone.
"""

import sys
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

PREFIXED = "autopeft_prefix"
Attention = Callable[..., tuple[torch.Tensor, torch.Tensor | None]]


class PrefixSite(Protocol):
    """What an attention module must hold to be called with a prefix."""

    def attend(
        self, attention: nn.Module, original: Attention, states: tuple[torch.Tensor, ...], *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The attention with the prefix; `states` are query, key and value."""
        ...


class PrefixedConfig:
    """An attention module's config that differs in one thing: the function that the module calls."""

    _attn_implementation = PREFIXED

    def __init__(self, config: Any, site: PrefixSite) -> None:
        self.original = config
        self.site = site

    def __getattr__(self, name: str) -> Any:
        # Copying asks an empty object for its special methods, before there is an original.
        if name.startswith("__") or "original" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.original, name)


def use_prefix(attention: Any, site: PrefixSite) -> None:
    """Let `attention` call `site.attend`.

    Args:
        attention: a module of transformers that goes through its attention interface.
        site: holds the prefix.

    Raises:
        ValueError: the module does not go through the interface.
    """
    if not hasattr(_file_of(attention), "ALL_ATTENTION_FUNCTIONS") or not hasattr(attention, "config"):
        raise ValueError(
            f"{type(attention).__name__} computes attention on its own, not through transformers' attention"
            " interface, so it cannot take a prefix"
        )
    attention.config = PrefixedConfig(attention.config, site)


def drop_prefix(attention: Any) -> None:
    """Undo `use_prefix`."""
    if isinstance(attention.config, PrefixedConfig):
        attention.config = attention.config.original


def prefixed_attention(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What the interface calls for an attention module that has been through `use_prefix`.

    Raises:
        ValueError: the model runs an attention kernel that takes no mask of ours.
    """
    config: Any = module.config
    name = config.original._attn_implementation
    if name not in ("eager", "sdpa"):
        raise ValueError(f"a prefix within attention needs the attention 'eager' or 'sdpa', not {name!r}")
    original = ALL_ATTENTION_FUNCTIONS.get_interface(name, getattr(_file_of(module), "eager_attention_forward", None))
    answer: tuple[torch.Tensor, torch.Tensor | None] = config.site.attend(
        module, original, (query, key, value), *args, **kwargs
    )
    return answer


AttentionInterface.register(PREFIXED, prefixed_attention)


def before(tensor: torch.Tensor | None, length: int, *, fill: float | bool) -> torch.Tensor | None:
    """A mask or position bias (... x keys) with `length` columns of `fill` before it; None stays None."""
    if tensor is None:
        return None
    columns = torch.full((*tensor.shape[:-1], length), fill, dtype=tensor.dtype, device=tensor.device)
    return torch.cat([columns, tensor], dim=-1)


def widened_mask(
    attention: nn.Module,
    mask: torch.Tensor | None,
    length: int,
    query: torch.Tensor,
    key: torch.Tensor,
    is_causal: bool | None = None,
) -> torch.Tensor | None:
    """The mask over prefix and text; the prefix is open to every query.

    Args:
        attention: the module; it says whether it is causal where no mask does.
        mask: of transformers: B x 1 x queries x keys, bool or added to the scores; None: nothing or causal.
        length: of the prefix.
        query: B x heads x queries x width.
        key: B x heads x keys x width, of the text alone.
        is_causal: as transformers passes it; None asks the module.
    """
    if mask is not None:
        opened = True if mask.dtype == torch.bool else 0.0
        return before(mask[..., : key.shape[2]], length, fill=opened)
    causal = is_causal if is_causal is not None else bool(getattr(attention, "is_causal", True))
    if not causal or query.shape[2] == 1:
        return None
    seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
    return before(seen[None, None], length, fill=True)


def _file_of(module: Any) -> Any:
    return sys.modules[type(module).__module__]
