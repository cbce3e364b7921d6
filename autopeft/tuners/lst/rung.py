"""One rung of the ladder: what the side network does beside one block of the backbone."""

import math

import torch
from torch import nn
from torch.nn import functional

EXPANSION = 4


class Rung(nn.Module):
    """The side network's part at one backbone block (arXiv:2206.06522, section 3).

        m = sigmoid(gate / T);   z = m s + (1 - m) D h;   s' = z + W_2 gelu(W_1 norm(z))

    s, s': side states, k wide; h: the block's output, d wide; D: k x d, W_1: 4k x k, W_2: k x 4k. The first rung
    makes s from the block's input with a matrix of its own; the last gives U norm(s'), U: d x k.

    Args:
        width: d.
        side_width: k.
        temperature: T.
        first: this is the ladder's first rung.
        last: this is its last one.
    """

    def __init__(self, width: int, side_width: int, temperature: float, *, first: bool, last: bool) -> None:
        super().__init__()
        self.temperature = temperature
        self.gate = nn.Parameter(torch.zeros(1))
        self.down = nn.Parameter(_drawn(side_width, width))
        self.norm = nn.Parameter(torch.ones(side_width))
        self.widen = nn.Parameter(_drawn(EXPANSION * side_width, side_width))
        self.narrow = nn.Parameter(_drawn(side_width, EXPANSION * side_width))
        self.entry = nn.Parameter(_drawn(side_width, width)) if first else None
        self.exit_norm = nn.Parameter(torch.ones(side_width)) if last else None
        self.up = nn.Parameter(torch.zeros(width, side_width)) if last else None

    def forward(self, side: torch.Tensor | None, block_input: torch.Tensor, block_output: torch.Tensor) -> torch.Tensor:
        """The next side state.

        Args:
            side: ... x k, of the rung before; the first rung has none.
            block_input: ... x d.
            block_output: ... x d.

        Returns:
            Shape ... x k.
        """
        if self.entry is not None:
            side = functional.linear(block_input.to(self.entry.dtype), self.entry)
        if side is None:
            raise RuntimeError("the backbone's blocks ran out of order")
        share = torch.sigmoid(self.gate / self.temperature)
        mixed = share * side + (1 - share) * functional.linear(block_output.to(self.down.dtype), self.down)
        hidden = functional.gelu(functional.linear(_rms(mixed) * self.norm, self.widen))
        return mixed + functional.linear(hidden, self.narrow)

    def leave(self, side: torch.Tensor) -> torch.Tensor | None:
        """What the last rung adds to the backbone's last hidden state, ... x d; None on the others."""
        if self.up is None or self.exit_norm is None:
            return None
        return functional.linear(_rms(side) * self.exit_norm, self.up)


def _drawn(rows: int, columns: int) -> torch.Tensor:
    return nn.init.kaiming_uniform_(torch.empty(rows, columns), a=math.sqrt(5))


def _rms(x: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
