"""The layer of FAR: a matrix of which some rows learn."""

from typing import Any

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import Tensor, nn
from torch.nn import functional

from autopeft.tuners.gradient_choice import GradientChoiceLayer
from autopeft.tuners.sparse_entries import entry_count, largest_entries


class FarLayer(GradientChoiceLayer):
    """A feed-forward matrix W (out x in) whose learner nodes, n of its rows, have a trained difference.

        D[p_j, :] = V[j, :] for j = 1 .. n, elsewhere 0;   V: n x in (arXiv:2205.14212; recalled)
        the n nodes with the largest |change of W[i, :]|_1 in a short priming learn

    Choices: priming is one step of plain gradient descent on the first step's rows, after which a node's L1
    distance is proportional to its gradient's L1 norm; the same share of each matrix learns; biases and what is
    no target stay frozen. The rows are not moved together: that is a matter of layout, not of the function.
    """

    adapter_layer_names = ("far_rows",)
    other_param_names = ("far_places",)
    values_name = "far_rows"
    places_name = "far_places"
    changing_buffers = ("far_places",)
    far_rows: nn.ParameterDict
    far_places: BufferDict

    def add_adapter(self, adapter_name: str, config: Any) -> None:
        """Make the rows of the adapter `adapter_name`, at zero."""
        count = entry_count((self.out_features, 1), config.density)
        self.far_rows[adapter_name] = nn.Parameter(torch.zeros(count, self.in_features))
        self.far_places[adapter_name] = self.first_places(config, count)

    def choose(self, adapter_name: str, scores: Tensor) -> None:
        """Let the nodes with the largest L1 norm of their gradient learn.

        Args:
            adapter_name: whose nodes.
            scores: the gradient, shaped like the base layer's weight.
        """
        places = self.far_places[adapter_name]
        nodes = (scores.T if self.transposed else scores).abs().sum(dim=1)
        places.copy_(largest_entries(nodes, places.shape[0]))

    def delta_weight(self, adapter_name: str) -> Tensor:
        """The difference D, out x in."""
        rows, places = self.far_rows[adapter_name], self.far_places[adapter_name].long()
        return rows.new_zeros(self.out_features, self.in_features).index_copy(0, places, rows)

    def branch(self, x: Tensor, adapter_name: str) -> Tensor:
        """D x from the learner nodes alone."""
        rows, places = self.far_rows[adapter_name], self.far_places[adapter_name].long()
        learned = functional.linear(self._cast_input_dtype(x, rows.dtype), rows)
        return learned.new_zeros(*x.shape[:-1], self.out_features).index_copy(-1, places, learned)
