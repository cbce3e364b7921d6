"""Products with a Kronecker product that never form it."""

import math

import torch


def nearest_factors(number: int) -> tuple[int, int]:
    """The two factors of `number` that are closest to each other, the smaller one first."""
    small = next(factor for factor in range(math.isqrt(number), 0, -1) if number % factor == 0)
    return small, number // small


def kronecker_linear(x: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(left ⊗ right) x, computed as left X right^T with x read as the rows of a matrix X.

    Args:
        x: ... x (a2 b2).
        left: a1 x a2.
        right: b1 x b2.

    Returns:
        ... x (a1 b1), at a2 b1 b2 + a1 a2 b1 multiplications a row.
    """
    table = x.unflatten(-1, (left.shape[1], right.shape[1]))
    # einsum and not `@`, which takes another path, and other roundings, for weights that need a gradient.
    half = torch.einsum("...jl,kl->...jk", table, right)
    return torch.einsum("ij,...jk->...ik", left, half).flatten(-2)
