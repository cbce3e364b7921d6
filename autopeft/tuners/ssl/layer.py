"""The layer of SSL: a weight with scaled columns."""

import torch
from torch import nn

from autopeft.tuners.ssl.config import SslConfig
from autopeft.tuners.subspace_scaling import SubspaceScalingLayer


class SslLayer(SubspaceScalingLayer):
    """A linear layer with W' = W diag(1 + a), a: in (arXiv:2407.05417; the formula is that of the authors' code).

    The choice of what is stored is `SubspaceScalingLayer`'s.
    """

    adapter_layer_names = ("ssl_columns",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.ssl_columns = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, config: SslConfig) -> None:
        """Make the vector a of the adapter `adapter_name`, at zero."""
        self.ssl_columns[adapter_name] = nn.Parameter(torch.zeros(self.in_features))

    def column_shift(self, adapter_name: str) -> torch.Tensor:
        """The vector a."""
        return self.ssl_columns[adapter_name]
