"""The layer of SSB: a weight with scaled columns and rows."""

import torch
from torch import nn

from autopeft.tuners.ssb.config import SsbConfig
from autopeft.tuners.subspace_scaling import SubspaceScalingLayer


class SsbLayer(SubspaceScalingLayer):
    """A linear layer with W' = diag(1 + b) W diag(1 + a), a: in, b: out (arXiv:2407.05417; as in the authors' code).

    The choice of what is stored is `SubspaceScalingLayer`'s.
    """

    adapter_layer_names = ("ssb_columns", "ssb_rows")

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.ssb_columns = nn.ParameterDict()
        self.ssb_rows = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, config: SsbConfig) -> None:
        """Make the vectors a and b of the adapter `adapter_name`, at zero."""
        self.ssb_columns[adapter_name] = nn.Parameter(torch.zeros(self.in_features))
        self.ssb_rows[adapter_name] = nn.Parameter(torch.zeros(self.out_features))

    def column_shift(self, adapter_name: str) -> torch.Tensor:
        """The vector a."""
        return self.ssb_columns[adapter_name]

    def row_shift(self, adapter_name: str) -> torch.Tensor:
        """The vector b."""
        return self.ssb_rows[adapter_name]
