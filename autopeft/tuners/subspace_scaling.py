"""Scaled inputs and outputs of a weight: what SSL and SSB share."""

from typing import Any

import torch

from autopeft.tuners.linear_delta import LinearDeltaLayer


class SubspaceScalingLayer(LinearDeltaLayer):
    """A linear layer whose weight is scaled along its columns, and perhaps along its rows (arXiv:2407.05417).

        W' = diag(1 + b) W diag(1 + a),   W: out x in,   a: in,   b: out

    Choice: what trains are the differences a and b, from zero, rather than scales from one as in the authors'
    code; the functions are the same, and weight decay then pulls towards the base instead of towards zero.
    """

    def column_shift(self, adapter_name: str) -> torch.Tensor:
        """The vector a, in entries."""
        raise NotImplementedError

    def row_shift(self, adapter_name: str) -> torch.Tensor | None:
        """The vector b, out entries; None for none."""
        return None

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """W' x plus the base's bias, from one product with W; several active adapters multiply.

        Args:
            x: shape ... x in.
            *args: handed on to the base layer.
            **kwargs: handed on to the base layer.

        Returns:
            Shape ... x out, dtype as the base layer gives it.
        """
        if self.disable_adapters and self.merged:
            self.unmerge()
        names = [] if self.merged else list(self.present_adapters())
        for name in names:
            x = (x * (1 + self.column_shift(name))).to(x.dtype)
        result: torch.Tensor = self.base_layer(x, *args, **kwargs)
        for name in names:
            if (rows := self.row_shift(name)) is not None:
                bias = self.get_base_layer().bias
                product = result if bias is None else result - bias
                result = result + (rows * product).to(result.dtype)
        return result

    def delta_weight(self, adapter_name: str) -> torch.Tensor:
        """The difference W' - W, out x in, from the weight as it is now."""
        held = self.get_base_layer().weight.detach()
        weight = held.T if self.transposed else held
        scaled = weight * (1 + self.column_shift(adapter_name))
        rows = self.row_shift(adapter_name)
        return (scaled if rows is None else (1 + rows)[:, None] * scaled) - weight
