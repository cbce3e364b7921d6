"""Puts SSB into a model."""

from autopeft.tuners.linear_delta import LinearDeltaModel
from autopeft.tuners.ssb.layer import SsbLayer


class SsbModel(LinearDeltaModel):
    """A model whose target weights are scaled (arXiv:2407.05417).

    It has the sum over targets of in + out adapter parameters.
    """

    prefix: str = "ssb_"
    tuner_layer_cls = SsbLayer
    layer_cls = SsbLayer
