"""The product that LoftQ starts from."""

import torch

from autopeft.modeling.loftq import best_product


def test_no_product_of_the_rank_is_nearer() -> None:
    matrix = torch.randn(12, 9, generator=torch.Generator().manual_seed(0))
    down, up = best_product(matrix, 3)
    assert (down.shape, up.shape) == ((3, 9), (12, 3))
    left_over = torch.linalg.svdvals(matrix)[3:]
    torch.testing.assert_close((matrix - up @ down).norm(), left_over.norm(), atol=1e-5, rtol=1e-5)


def test_a_matrix_of_the_rank_is_met() -> None:
    drawn = torch.Generator().manual_seed(1)
    matrix = torch.randn(12, 2, generator=drawn) @ torch.randn(2, 9, generator=drawn)
    down, up = best_product(matrix, 2)
    torch.testing.assert_close(up @ down, matrix, atol=1e-5, rtol=1e-5)
