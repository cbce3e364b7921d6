"""A matrix of which only some entries are held: their values and where they stand."""

import torch


def entry_count(shape: tuple[int, int], density: float) -> int:
    """How many entries a share of a matrix is; at least one.

    Args:
        shape: of the matrix.
        density: the share, above 0 and at most 1.
    """
    return max(1, round(shape[0] * shape[1] * density))


def largest_entries(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Where the `count` largest scores stand in the flattened matrix, in rising order, as int32."""
    places = scores.flatten().topk(count, sorted=False).indices
    return places.sort().values.to(torch.int32)


def dense_matrix(values: torch.Tensor, places: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """The matrix with `values` at `places` and zeros elsewhere; differentiable in the values.

    Args:
        values: k entries.
        places: k positions in the flattened matrix, integers.
        shape: of the matrix.
    """
    zeros = torch.zeros(shape[0] * shape[1], dtype=values.dtype, device=values.device)
    return zeros.scatter(0, places.long(), values).view(shape)


def check_density(density: float) -> None:
    """Refuse a share that is none.

    Raises:
        ValueError: it is not above 0 and at most 1.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}; it must be above 0 and at most 1")
