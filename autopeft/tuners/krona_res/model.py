"""Puts KronA^B_res into a model."""

from autopeft.tuners.beside_ffn import BesideFeedForwardModel
from autopeft.tuners.krona_res.layer import KronAResLayer


class KronAResModel(BesideFeedForwardModel):
    """A model with a Kronecker product and a residual beside each feed-forward block (arXiv:2212.10650)."""

    prefix: str = "krona_res_"
    beside_layer_cls = KronAResLayer
