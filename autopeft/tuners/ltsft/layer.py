"""The layer of LT-SFT: a difference on a weight, of which some entries are left after the first phase."""

from typing import ClassVar

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import Tensor, nn

from autopeft.tuners.linear_delta import LinearDeltaLayer
from autopeft.tuners.ltsft.config import LtSftConfig
from autopeft.tuners.sparse_entries import entry_count, largest_entries


class LtSftLayer(LinearDeltaLayer):
    """A linear layer with a difference w on its weight (arXiv:2110.07560, section 3; recalled).

        phase 1:  D = w, all entries train
        then:     M = the `density` entries with the largest |w|;  w goes back to zero
        phase 2:  D = M * w

    Choices: both phases share one training, its schedule and its optimizer, whose moments live on; each matrix
    keeps the same share, where the paper ranks all weights together; the paper's pull towards the base in phase 1
    is left to weight decay. In training memory it is full fine-tuning of the targets.
    """

    adapter_layer_names = ("ltsft_w",)
    other_param_names = ("ltsft_kept",)
    changing_buffers: ClassVar[tuple[str, ...]] = ("ltsft_kept",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.ltsft_w = nn.ParameterDict()
        self.ltsft_kept = BufferDict(persistent=True)

    def add_adapter(self, adapter_name: str, config: LtSftConfig) -> None:
        """Make the differences, at zero, all of them kept."""
        shape, device = (self.out_features, self.in_features), self.get_base_layer().weight.device
        self.ltsft_w[adapter_name] = nn.Parameter(torch.zeros(shape))
        self.ltsft_kept[adapter_name] = torch.ones(shape, dtype=torch.bool, device=device)

    def delta_weight(self, adapter_name: str) -> Tensor:
        """The difference D, out x in."""
        return self.ltsft_w[adapter_name] * self.ltsft_kept[adapter_name]

    def choose(self, adapter_name: str, density: float) -> None:
        """Keep the entries that have moved the most, and start them again."""
        weight, kept = self.ltsft_w[adapter_name], self.ltsft_kept[adapter_name]
        count = entry_count((self.out_features, self.in_features), density)
        chosen = torch.zeros_like(kept).flatten()
        chosen[largest_entries(weight.abs(), count).long()] = True
        kept.copy_(chosen.view_as(kept))
        weight.zero_()
