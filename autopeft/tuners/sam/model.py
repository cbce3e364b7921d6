"""Puts SAM into a model."""

from torch import Tensor

from autopeft.tuners.gradient_choice import GradientChoiceModel
from autopeft.tuners.sam.layer import SamLayer


class SamModel(GradientChoiceModel):
    """A model that trains the entries with the largest squared gradient (arXiv:2211.15583).

    It has the sum over targets of round(density * in * out) adapter parameters.
    """

    prefix: str = "sam_"
    tuner_layer_cls = SamLayer
    layer_cls = SamLayer

    def gather(self, total: Tensor | None, gradient: Tensor) -> Tensor:
        """The sum of the gradients."""
        return gradient.detach().float() if total is None else total.add_(gradient)

    def scores(self, total: Tensor) -> Tensor:
        """The square of the summed gradient."""
        return total.square()
