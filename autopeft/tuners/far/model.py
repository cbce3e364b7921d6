"""Puts FAR into a model."""

from torch import Tensor

from autopeft.tuners.far.layer import FarLayer
from autopeft.tuners.gradient_choice import GradientChoiceModel


class FarModel(GradientChoiceModel):
    """A model of whose feed-forward nodes some learn (arXiv:2205.14212).

    It has the sum over targets of round(density * out) * in adapter parameters.
    """

    prefix: str = "far_"
    tuner_layer_cls = FarLayer
    layer_cls = FarLayer

    def gather(self, total: Tensor | None, gradient: Tensor) -> Tensor:
        """The sum of the gradients."""
        return gradient.detach().float() if total is None else total.add_(gradient)
