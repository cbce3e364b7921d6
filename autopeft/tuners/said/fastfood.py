"""The Fastfood transform: a random projection of a short vector to a long one, in n log n steps."""

import functools
import math
from dataclasses import dataclass

import torch
from torch.nn import functional

# Width of the matrices that the transform is done by.
_FACTOR = 128


@dataclass(frozen=True, slots=True)
class FastfoodDraw:
    """The random parts of one transform of padded length n, a power of two.

    Attributes:
        signs: B's diagonal of +-1, int8, n.
        order: the permutation Pi, int32, n.
        gauss: G's diagonal, standard normal, n.
    """

    signs: torch.Tensor
    order: torch.Tensor
    gauss: torch.Tensor


def draw_fastfood(longest: int, seed: int, device: torch.device) -> FastfoodDraw:
    """Draw a transform that takes and gives vectors of at most `longest` entries.

    The draw is made on the CPU, so that it is the same one on every device; on meta only shapes are made.
    """
    length = 2 ** math.ceil(math.log2(max(longest, 2)))
    if device.type == "meta":
        kinds = (torch.int8, torch.int32, torch.float32)
        return FastfoodDraw(*(torch.empty(length, dtype=kind, device=device) for kind in kinds))
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (length,), generator=generator, dtype=torch.int8, device="cpu") * 2 - 1
    order = torch.randperm(length, generator=generator, device="cpu").to(torch.int32)
    gauss = torch.randn(length, generator=generator, device="cpu")
    return FastfoodDraw(signs.to(device), order.to(device), gauss.to(device))


def fastfood(vector: torch.Tensor, draw: FastfoodDraw, length: int) -> torch.Tensor:
    """P(vector) = H G Pi H B vector / (|G| n sqrt(length / n)), the first `length` entries (arXiv:2012.13255).

    H is the Walsh-Hadamard matrix without a factor, n the padded length, |G| the norm of G's diagonal: the
    scale of the authors' published code, under which P keeps the length of a vector on average.

    Args:
        vector: at most n entries; it is padded with zeros.
        draw: the random parts.
        length: of the result, at most n.
    """
    padded = draw.signs.shape[0]
    mixed = walsh_hadamard(functional.pad(vector, (0, padded - vector.shape[0])) * draw.signs)
    mixed = walsh_hadamard(mixed.index_select(0, draw.order) * draw.gauss)
    return mixed[:length] / (draw.gauss.norm() * math.sqrt(padded) * math.sqrt(length / padded))


def walsh_hadamard(vector: torch.Tensor) -> torch.Tensor:
    """H vector, for a vector whose length is a power of two.

    H is a Kronecker product of small ones, so that a few matrix products do what log2 n passes of additions would.
    """
    length = vector.shape[0]
    done = 1
    while done < length:
        size = min(_FACTOR, length // done)
        # The product acts on the last axis, and the transpose brings the next one there; all return in the end.
        vector = (vector.view(-1, size) @ _hadamard(size).to(vector)).T.reshape(length)
        done *= size
    return vector


@functools.cache
def _hadamard(size: int) -> torch.Tensor:
    matrix = torch.ones(1, 1, device="cpu")
    while matrix.shape[0] < size:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)], 0)
    return matrix
