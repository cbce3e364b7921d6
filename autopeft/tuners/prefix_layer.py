"""The layer that carries an attention's prefix, and how it gets into a model."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import nn

from autopeft.tuners.attention_prefix import Attention, before, drop_prefix, use_prefix, widened_mask
from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.base_model import AdapterModel

# The start of a prefix without network; the papers leave it open, so it is a choice.
START_SPREAD = 0.02


class PrefixNetwork(nn.Module):
    """The part of the reparametrising network that all attentions of a kind share: tanh(W E + c).

    Args:
        length: l, the number of virtual tokens.
        features: d, the width of their embeddings E: l x d.
        bottleneck_size: b, so that W: b x d.
    """

    def __init__(self, length: int, features: int, bottleneck_size: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(length, features))
        layer = nn.Linear(features, bottleneck_size)
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self) -> torch.Tensor:
        """The hidden states, l x b."""
        return torch.tanh(nn.functional.linear(self.embedding, self.weight, self.bias))


class PrefixLayer(AdapterLayer):
    """An attention's key projection, which carries the prefix of that attention (arXiv:2101.00190, section 4).

    With queries Q, keys K and values V of the text and a prefix P_K, P_V: l x kv, for kv the width of all keys:

        out = softmax(Q [P_K; K]^T s + mask) [P_V; V]

    which for one query equals the parallel form of arXiv:2110.04366, equation 7: (1 - g) attention(q, K, V) +
    g attention(q, P_K, P_V), g the softmax' share of the prefix. Flat, P_K and P_V are the parameters; through
    the network (section 4.3 of the first paper), with E: l x d and h = tanh(W E + c): l x b,

        [P_K, P_V] = U h + u,   U: 2kv x b

    where E, W and c are shared by all attentions of one kind (T5: the encoder's, the decoder's and the cross
    attention's) and U, u belong to each. They are stored once, by the first layer of the kind. Choices: prefix
    keys carry no position, neither rotary nor as a relative bias; a flat prefix starts at N(0, 0.02²).
    """

    adapter_layer_names = ("prefix_values", "prefix_network", "prefix_projection")
    why_not_merged = "a prefix is additional input to attention"

    def __init__(self, base_layer: nn.Module, adapter_name: str, *, width: int, kind: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.prefix_values = nn.ParameterDict()
        self.prefix_network = nn.ModuleDict()
        self.prefix_projection = nn.ModuleDict()
        self.in_features, _ = _get_in_out_features(self.get_base_layer())
        self.width = width
        self.kind = kind
        # Not registered, so that a network shared by many layers is saved and counted once.
        self.network_holders: dict[str, PrefixLayer] = {}

    def add_adapter(self, adapter_name: str, config: Any) -> None:
        """Add a prefix.

        Args:
            adapter_name: its name.
            config: with `num_virtual_tokens`, `prefix_projection` and `prefix_bottleneck`.
        """
        length = config.num_virtual_tokens
        if not config.prefix_projection:
            self.prefix_values[adapter_name] = nn.Parameter(torch.randn(2, length, self.width) * START_SPREAD)
            return
        if self.network_holders[adapter_name] is self:
            network = PrefixNetwork(length, self.in_features, config.prefix_bottleneck)
            self.prefix_network[adapter_name] = network
        self.prefix_projection[adapter_name] = nn.Linear(config.prefix_bottleneck, 2 * self.width)

    def prefix_of(self, adapter_name: str) -> torch.Tensor:
        """P_K and P_V of one adapter: 2 x l x kv."""
        if adapter_name in self.prefix_values:
            return self.prefix_values[adapter_name]
        projection = self.prefix_projection[adapter_name]
        hidden = self.network_holders[adapter_name].prefix_network[adapter_name]().to(projection.weight.device)
        both: torch.Tensor = projection(hidden)
        return torch.stack(both.split(self.width, dim=-1))

    def active_prefix(self, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Prefix keys and values as attention takes them, of all active adapters; None without any.

        Args:
            key: B x heads x keys x width, as the base's attention made it.

        Returns:
            Two tensors of B x heads x l x width.
        """
        prefixes = [self.prefix_of(name) for name in self.present_adapters()]
        if not prefixes:
            return None
        batch, heads, _, width = key.shape
        both = torch.cat(prefixes, dim=1).to(key.dtype).unflatten(-1, (heads, width)).transpose(1, 2)
        keys, values = both[:, None].expand(-1, batch, -1, -1, -1)
        return keys, values

    def attend(
        self,
        attention: nn.Module,
        original: Attention,
        states: tuple[torch.Tensor, ...],
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The base's attention with the active prefixes before its keys and values.

        Args:
            attention: the base's module.
            original: the function that it would have called.
            states: query, key and value, each B x heads x tokens x width.
            attention_mask: as transformers makes it.
            **kwargs: handed on.
        """
        query, key, value = states
        prefix = self.active_prefix(key)
        if prefix is None:
            return original(attention, query, key, value, attention_mask, **kwargs)
        length = prefix[0].shape[2]
        mask = widened_mask(attention, attention_mask, length, query, key, kwargs.get("is_causal"))
        if kwargs.get("position_bias") is not None:
            kwargs["position_bias"] = before(kwargs["position_bias"], length, fill=0.0)
        # The mask says it all now; the flag would ask for one more.
        kwargs["is_causal"] = False
        keys, values = torch.cat([prefix[0], key], dim=2), torch.cat([prefix[1], value], dim=2)
        return original(attention, query, keys, values, mask, **kwargs)


class PrefixedModel(AdapterModel):
    """A model some of whose attentions carry a prefix; the wrapped modules are their key projections."""

    prefix_layer_cls: type[PrefixLayer] = PrefixLayer

    def prefix_layer(self, adapter_name: str, name: str, target: nn.Module) -> PrefixLayer:
        """The wrapper of the key projection `name`.

        Raises:
            ValueError: the width of keys and values cannot be told.
        """
        width = _key_width(target, self.model.config)
        kind = re.sub(r"\d+", "*", name)
        return self.prefix_layer_cls(target, adapter_name, width=width, kind=kind)

    def fill(self, layer: AdapterLayer, adapter_name: str, config: Any) -> None:
        """Give `layer` its values; a prefix through a network takes that of the first layer of its kind."""
        if isinstance(layer, PrefixLayer):
            others = (other for other in self._prefix_layers() if other.kind == layer.kind)
            having = (other for other in others if adapter_name in other.prefix_network)
            layer.network_holders[adapter_name] = next(having, layer)
        super().fill(layer, adapter_name, config)

    def _prefix_layers(self) -> Iterator[PrefixLayer]:
        return (module for module in self.model.modules() if isinstance(module, PrefixLayer))

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        super()._replace_module(parent, child_name, new_module, child)
        if isinstance(new_module, PrefixLayer):
            use_prefix(parent, new_module)
        elif isinstance(child, PrefixLayer):
            drop_prefix(parent)


def _key_width(projection: nn.Module, config: Any) -> int:
    """Width of all keys of one attention, which the projection gives alone or beside queries and values."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    one = getattr(config, "d_kv", None) or getattr(config, "head_dim", None)
    width = int(heads * (one or config.hidden_size // config.num_attention_heads))
    _, given = _get_in_out_features(projection)
    queries = width // heads * config.num_attention_heads
    if given not in (width, 2 * width + queries):
        raise ValueError(f"a key projection gives {given} features where the heads take {width}")
    return width
