"""Puts SSL into a model."""

from autopeft.tuners.linear_delta import LinearDeltaModel
from autopeft.tuners.ssl.layer import SslLayer


class SslModel(LinearDeltaModel):
    """A model whose target weights are scaled (arXiv:2407.05417).

    It has the sum over targets of in adapter parameters.
    """

    prefix: str = "ssl_"
    tuner_layer_cls = SslLayer
    layer_cls = SslLayer
