"""A matrix held as a tensor train."""

import math

import torch
from torch import nn


class TensorTrain(nn.Module):
    """An in x out matrix as a train of small cores (arXiv:2402.11417, section 3.1).

        W[(i_1 .. i_a), (j_1 .. j_b)] = G_1[i_1] ... G_a[i_a] G_{a+1}[j_1] ... G_{a+b}[j_b]

    G_k[n] is an r_{k-1} x r_k matrix, r at the ends 1 and elsewhere `rank`; in = prod i, out = prod j. It has
    sum over k of r_{k-1} n_k r_k parameters.

    Choices: the modes come from `mode_sizes` (the authors' table names them for some widths, and for 768 x 64 they
    are the same: 8, 8, 12, 8, 8). As in the authors' code a core's entries are drawn from
    N(0, s^2 / r_k), s the K-th root of 1 / sqrt(in + out) for K cores; with `zero` the last core is zero instead.

    Args:
        in_features: rows.
        out_features: columns.
        rank: r, between all cores.
        zero: make the matrix zero at the start.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, *, zero: bool = False) -> None:
        super().__init__()
        self.shape = (in_features, out_features)
        modes = [*mode_sizes(in_features), *reversed(mode_sizes(out_features))]
        ranks = [1, *[rank] * (len(modes) - 1), 1]
        spread = (in_features + out_features) ** (-0.5 / len(modes))
        # Parameters of this module itself: peft finds an adapter's name only in the second to last place of a key.
        self.names = [f"core_{place}" for place in range(len(modes))]
        for place, name in enumerate(self.names):
            left, size, right = ranks[place], modes[place], ranks[place + 1]
            core = torch.randn(left, size, right) * (spread / math.sqrt(right))
            last = place == len(modes) - 1
            self.register_parameter(name, nn.Parameter(torch.zeros_like(core) if zero and last else core))

    def forward(self) -> torch.Tensor:
        """The matrix, in x out."""
        first, *others = (self.get_parameter(name) for name in self.names)
        product = first.reshape(-1, first.shape[-1])
        for core in others:
            # A plain matrix product, which autocast knows; it leaves tensordot with operands of two dtypes.
            product = (product @ core.reshape(core.shape[0], -1)).reshape(-1, core.shape[-1])
        return product.reshape(self.shape)


def mode_sizes(size: int) -> list[int]:
    """`size` as a product of about log10(size) factors that are as equal as its primes allow, in rising order."""
    bins = [1] * max(1, round(math.log10(size)))
    for prime in sorted(_primes(size), reverse=True):
        smallest = bins.index(min(bins))
        bins[smallest] *= prime
    return sorted(bins)


def _primes(size: int) -> list[int]:
    found, divisor = [], 2
    while divisor * divisor <= size:
        while size % divisor == 0:
            found.append(divisor)
            size //= divisor
        divisor += 1
    return [*found, size] if size > 1 else found
