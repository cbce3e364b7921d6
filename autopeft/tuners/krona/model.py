"""Puts KronA into a model."""

from autopeft.tuners.krona.layer import KronALayer
from autopeft.tuners.linear_delta import LinearDeltaModel


class KronAModel(LinearDeltaModel):
    """A model whose targeted matrices change by Kronecker products (arXiv:2212.10650)."""

    prefix: str = "krona_"
    layer_cls = KronALayer
