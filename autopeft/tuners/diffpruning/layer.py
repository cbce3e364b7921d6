"""The layer of DiffPruning: a difference on every entry of a weight, with a gate on each."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from autopeft.tuners.diffpruning.config import DiffPruningConfig
from autopeft.tuners.linear_delta import LinearDeltaLayer
from autopeft.tuners.sparse_entries import entry_count, largest_entries

# Ends of the stretched gate, and where its parameter starts (the authors' code; recalled).
LOW, HIGH = -1.5, 1.5
GATE_START = 5.0
# A gate parameter at which a gate is exactly 1, or at its negative exactly 0, whatever is drawn.
SETTLED = 20.0


class DiffPruningLayer(LinearDeltaLayer):
    """A linear layer with a gated difference on its whole weight (arXiv:2012.07463, sections 3.1 and 3.2).

        D = z * w,   z = min(1, max(0, LOW + (HIGH - LOW) s)),   w, a: out x in
        training:   s = sigmoid(log u - log(1 - u) + a), u uniform on (0, 1);   otherwise s = sigmoid(a)
        expected count = sum sigmoid(a - log(-LOW / HIGH))

    w starts at zero, so that the start is the base. It trains twice as many numbers as it adapts, and saves only
    the entries that differ. Choices: the unstructured gates; the same share of each matrix is left, where the
    paper ranks all entries together; pruning sets the gates left to exactly 1 and the others to 0 (a = +-20).
    """

    adapter_layer_names = ("diffpruning_w", "diffpruning_gate")
    draws: ClassVar[bool] = True

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.diffpruning_w = nn.ParameterDict()
        self.diffpruning_gate = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, config: DiffPruningConfig) -> None:
        """Make the differences, at zero, and their gates, nearly always open."""
        shape = (self.out_features, self.in_features)
        self.diffpruning_w[adapter_name] = nn.Parameter(torch.zeros(shape))
        self.diffpruning_gate[adapter_name] = nn.Parameter(torch.full(shape, GATE_START))

    def delta_weight(self, adapter_name: str) -> Tensor:
        """The difference D, out x in, with drawn gates while training (not when it is merged meanwhile)."""
        gate = self.diffpruning_gate[adapter_name]
        if not (self.training and torch.is_grad_enabled()):
            return settled_gate(gate) * self.diffpruning_w[adapter_name]
        uniform = torch.rand_like(gate).clamp(1e-6, 1 - 1e-6)
        share = torch.sigmoid(uniform.log() - (1 - uniform).log() + gate)
        return (LOW + (HIGH - LOW) * share).clamp(0, 1) * self.diffpruning_w[adapter_name]

    def expected_count(self, adapter_name: str) -> Tensor:
        """How many entries are expected to differ, a scalar."""
        return torch.sigmoid(self.diffpruning_gate[adapter_name] - math.log(-LOW / HIGH)).sum()

    def prune(self, adapter_name: str, density: float) -> None:
        """Keep the largest differences and settle all gates."""
        gate, weight = self.diffpruning_gate[adapter_name], self.diffpruning_w[adapter_name]
        delta = settled_gate(gate) * weight
        count = entry_count((self.out_features, self.in_features), density)
        settled = torch.full_like(gate, -SETTLED).flatten()
        settled[largest_entries(delta.abs(), count).long()] = SETTLED
        weight.copy_(delta)
        gate.copy_(settled.view_as(gate))


def settled_gate(gate: Tensor) -> Tensor:
    """The gate z without a draw, between 0 and 1, of its parameter."""
    return (LOW + (HIGH - LOW) * torch.sigmoid(gate)).clamp(0, 1)
