"""The layer of Ladder Side-Tuning: a block of the backbone, run without gradient, with a rung beside it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.lst.config import LstConfig
from autopeft.tuners.lst.rung import Rung


@dataclass
class Ladder:
    """What the rungs of one model hand on in a forward pass: the side state."""

    side: torch.Tensor | None = None


class LstLayer(AdapterLayer):
    """A transformer block with a rung of the side network beside it (arXiv:2206.06522, section 3).

        h_i = block_i(h_{i-1}) without gradient;   s_i = rung_i(s_{i-1}, h_{i-1}, h_i)
        the last block gives h_N + U norm(s_N)

    Nothing of the backbone's blocks is kept for the backward pass, which runs through the rungs alone.

    Choices: the paper's side blocks are whole transformer blocks pruned from the backbone, here they are their
    feed-forward half, drawn at random: context reaches them through the backbone's states, so that masks and
    caches of every architecture stay as they are. The paper predicts from the side state alone; here it is added
    to the backbone's with U at zero, so that the start is the base. In an encoder-decoder the decoder has the
    ladder and the encoder stays as it is. One ladder fits on a model at a time.

    Args:
        base_layer: the block.
        adapter_name: of the adapter that it is wrapped for.
        ladder: shared by all blocks.
        width: d of the hidden states.
        ends: whether this is the first block, and whether it is the last one.
    """

    adapter_layer_names = ("lst_rung",)
    why_not_merged: ClassVar[str] = "it is a network beside the model"

    def __init__(
        self, base_layer: nn.Module, adapter_name: str, ladder: Ladder, width: int, ends: tuple[bool, bool]
    ) -> None:
        super().__init__(base_layer, adapter_name)
        self.lst_rung = nn.ModuleDict()
        self.ladder = ladder
        self.width = width
        self.ends = ends

    def add_adapter(self, adapter_name: str, config: LstConfig) -> None:
        """Make the rung of the adapter `adapter_name`, where the block's weights lie."""
        first, last = self.ends
        side_width = max(1, self.width // config.reduction)
        rung = Rung(self.width, side_width, config.temperature, first=first, last=last)
        self.lst_rung[adapter_name] = rung.to(next(self.base_layer.parameters()).device)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """What the block gives, the last one's hidden state with the side network's addition.

        Args:
            x: hidden states, ... x d.
            *args: handed on to the block.
            **kwargs: handed on to the block.
        """
        names = list(self.present_adapters())
        if not names:
            return self.base_layer(x, *args, **kwargs)
        with torch.no_grad():
            output = self.base_layer(x, *args, **kwargs)
        hidden = output[0] if isinstance(output, tuple) else output
        rung: Any = self.lst_rung[names[0]]
        side = rung(self.ladder.side, x.detach(), hidden)
        added = rung.leave(side)
        # The last rung lets go of the state: it would keep the graph alive until the next step.
        self.ladder.side = side if added is None else None
        if added is None:
            return output
        changed = hidden + added.to(hidden.dtype)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    def __getattr__(self, name: str) -> Any:
        """What the block has and this wrapper has not: models read attributes of their blocks."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(super().__getattr__("base_layer"), name)
