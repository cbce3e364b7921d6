"""Puts Intrinsic SAID into a model."""

from collections.abc import Mapping, Sequence

import torch

from autopeft.tuners.said.config import SaidConfig
from autopeft.tuners.said.layer import SaidLayer
from autopeft.tuners.shared_state import SharedStateModel


class SaidModel(SharedStateModel):
    """A model whose matrices move together in one small random subspace (arXiv:2012.13255).

    It has d' + m adapter parameters, for a shared vector of d' entries and m target matrices.
    """

    prefix: str = "said_"
    tuner_layer_cls = SaidLayer
    layer_cls = SaidLayer
    shared_names = ("said_theta",)

    def make_shared(self, config: SaidConfig, keys: Sequence[str]) -> Mapping[str, torch.Tensor]:
        """The shared vector, at zero."""
        return {"said_theta": torch.zeros(config.intrinsic_dimension)}
