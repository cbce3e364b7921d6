"""The layer of parallel adapters: a bottleneck beside the feed-forward block."""

import torch
from torch import nn

from autopeft.tuners.beside_ffn import BesideLayer, InputLayer
from autopeft.tuners.bottleneck import Bottleneck
from autopeft.tuners.parallel.config import ParallelConfig


class ParallelLayer(BesideLayer):
    """A feed-forward block with a scaled bottleneck beside it (arXiv:2110.04366, table 1 and section 4.6).

    With x the input of the block (last dimension d) and bottleneck size b:

        out = FFN(x) + s (W_up act(W_down x + c_down) + c_up),   W_down: b x d,   W_up: d x b

    s is 1 in a parallel adapter and a fixed factor (the paper: 4) in a scaled one, or learned, one per block.
    W_down starts as in LoRA and everything else at zero (the paper's "LoRA init"), so the start is exactly the
    base. Choice: x is what the block's first matrix sees, which in models that norm before a block is the normed
    input.
    """

    adapter_layer_names = ("parallel_bottleneck", "parallel_scaling")
    why_not_merged = "a non-linearity stands between the two layers of the bottleneck"

    def __init__(self, base_layer: nn.Module, adapter_name: str, start: InputLayer) -> None:
        super().__init__(base_layer, adapter_name, start)
        self.parallel_bottleneck = nn.ModuleDict()
        self.parallel_scaling = nn.ParameterDict()
        self.fixed_scaling: dict[str, float] = {}

    def add_adapter(self, adapter_name: str, config: ParallelConfig) -> None:
        """Add a bottleneck.

        Args:
            adapter_name: its name.
            config: a `ParallelConfig`.
        """
        if config.learned_scaling:
            self.parallel_scaling[adapter_name] = nn.Parameter(torch.tensor([float(config.scaling)]))
        else:
            self.fixed_scaling[adapter_name] = config.scaling
        bottleneck = Bottleneck(self.features, config.bottleneck_size, config.non_linearity)
        self.parallel_bottleneck[adapter_name] = bottleneck

    def branch(self, adapter_name: str, x: torch.Tensor) -> torch.Tensor:
        """The scaled output of the bottleneck."""
        learned = adapter_name in self.parallel_scaling
        scaling = self.parallel_scaling[adapter_name] if learned else self.fixed_scaling[adapter_name]
        output: torch.Tensor = scaling * self.parallel_bottleneck[adapter_name](x)
        return output
