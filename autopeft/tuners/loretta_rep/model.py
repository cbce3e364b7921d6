"""Puts LoRETTA_rep into a model."""

from autopeft.tuners.linear_delta import LinearDeltaModel
from autopeft.tuners.loretta_rep.layer import LorettaRepLayer


class LorettaRepModel(LinearDeltaModel):
    """A model whose target matrices have tensorised low-rank updates (arXiv:2402.11417, section 3.2).

    It has the sum over targets of TT(in, r) + TT(r, out) adapter parameters, TT as `TensorTrain` counts them.
    """

    prefix: str = "loretta_rep_"
    tuner_layer_cls = LorettaRepLayer
    layer_cls = LorettaRepLayer
