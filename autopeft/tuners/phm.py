"""Linear layers by parametrised hypercomplex multiplication, in the low-rank form."""

import torch
from torch import nn


class PHMLinear(nn.Module):
    """x W + c with W = sum_i A_i ⊗ (L_i R_i), i = 1..n (arXiv:2106.04647, equations 5 and 7).

    A: n x n x n are the small matrices that the caller shares among layers; L: n x in/n x r and R: n x r x out/n
    are this layer's own. W is never formed.

    Args:
        in_features: width of x.
        out_features: width of the result.
        order: n.
        rank: r.
        starts_at_zero: R starts at zero, so that the layer gives zero and L has no gradient in the first step.

    Raises:
        ValueError: n does not divide both widths.
    """

    def __init__(self, in_features: int, out_features: int, order: int, rank: int, *, starts_at_zero: bool) -> None:
        super().__init__()
        if in_features % order or out_features % order:
            raise ValueError(f"phm_dim {order} does not divide the widths {in_features} and {out_features}")
        self.order = order
        self.left = nn.Parameter(torch.empty(order, in_features // order, rank))
        self.right = nn.Parameter(torch.zeros(order, rank, out_features // order))
        self.bias = nn.Parameter(torch.zeros(out_features))
        for factor in (self.left,) if starts_at_zero else (self.left, self.right):
            for matrix in factor.data:
                nn.init.xavier_uniform_(matrix)

    def forward(self, x: torch.Tensor, rule: torch.Tensor) -> torch.Tensor:
        """The layer's output.

        Args:
            x: ... x in.
            rule: A, n x n x n.

        Returns:
            ... x out.
        """
        rows = x.unflatten(-1, (self.order, -1))
        narrow = torch.einsum("...jp,ipr->...ijr", rows, self.left)
        mixed = torch.einsum("...ijr,ijk->...ikr", narrow, rule)
        return torch.einsum("...ikr,iro->...ko", mixed, self.right).flatten(-2) + self.bias
