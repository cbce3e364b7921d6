"""The gated prefix of UniPELT."""

from typing import Any

import torch
from torch import nn

from autopeft.tuners.attention_prefix import Attention, widened_mask
from autopeft.tuners.prefix_layer import PrefixLayer
from autopeft.tuners.unipelt.layer import GatedLoraLayer


class GatedPrefixLayer(PrefixLayer):
    """An attention's key projection, which carries a prefix whose keys and values are gated.

    With x the input of the attention's queries and g(x) one number per query (arXiv:2110.07577, section 3.2):

        out = softmax([g Q P_K^T s, Q K^T s + mask]) [g P_V; V]

    Since the gate differs from query to query, no kernel computes this; the scores are formed as in `eager`
    attention, whose memory it therefore takes.
    """

    def attend(
        self,
        attention: nn.Module,
        original: Attention,
        states: tuple[torch.Tensor, ...],
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The base's attention with the active prefixes, each scaled by its gate.

        Args:
            attention: the base's module.
            original: the function that it would have called; it runs where no prefix is active.
            states: query, key and value, each B x heads x tokens x width.
            attention_mask: as transformers makes it.
            **kwargs: of the function.

        Raises:
            ValueError: the base caps its scores.
        """
        query, key, value = states
        prefix = self.active_prefix(key)
        if prefix is None:
            return original(attention, query, key, value, attention_mask, **kwargs)
        if kwargs.get("softcap") is not None:
            raise ValueError("a gated prefix needs attention without a cap on its scores")
        scaling = kwargs.get("scaling")
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        gate = self._gates(attention).to(query.dtype)
        mask = widened_mask(attention, attention_mask, 0, query, key, kwargs.get("is_causal"))
        text_scores = _masked(scale * query @ _per_head(key, query).mT, mask, kwargs.get("position_bias"))
        prefix_scores = gate * (scale * query @ _per_head(prefix[0], query).mT)
        shares = torch.softmax(torch.cat([prefix_scores, text_scores], dim=-1), dim=-1)
        shares = nn.functional.dropout(shares, kwargs.get("dropout", 0.0), attention.training)
        of_prefix, of_text = shares.split([gate.shape[-1], key.shape[2]], dim=-1)
        output = (gate * of_prefix) @ _per_head(prefix[1], query) + of_text @ _per_head(value, query)
        return output.transpose(1, 2).contiguous(), None

    def _gates(self, attention: nn.Module) -> torch.Tensor:
        """The gates of every virtual token of every active prefix, B x 1 x queries x l."""
        query_site = next(child for child in attention.children() if isinstance(child, GatedLoraLayer) and child.tap)
        tap = query_site.tap
        assert tap is not None
        x = tap.take()
        parts = [
            query_site.unipelt_prefix_gate[name](x).expand(-1, -1, self.prefix_of(name).shape[1])
            for name in self.present_adapters()
        ]
        return torch.cat(parts, dim=-1)[:, None]


def _masked(scores: torch.Tensor, mask: torch.Tensor | None, bias: torch.Tensor | None) -> torch.Tensor:
    if bias is not None:
        scores = scores + bias
    if mask is None:
        return scores
    if mask.dtype == torch.bool:
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores + mask


def _per_head(states: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Keys or values repeated for the heads that share them."""
    return states.repeat_interleave(query.shape[1] // states.shape[1], dim=1)
