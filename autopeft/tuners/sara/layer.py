"""The layer of SaRA: a matrix whose smallest entries train."""

from typing import Any

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import Tensor, nn

from autopeft.tuners.sparse_delta import SparseDeltaLayer
from autopeft.tuners.sparse_entries import dense_matrix, largest_entries


class SaraLayer(SparseDeltaLayer):
    """A linear layer that trains the entries of smallest magnitude of its weight (arXiv:2409.06633, section 4).

        D[p_i] = v_i;   p: where |W| <= t, t such that this is a share `density` of W
        the loss has rank_penalty * |(W + D) * M|_* added, M the mask of the places, |.|_* the nuclear norm
        after half of the training, those v_i train on for which |W[p_i] + v_i| <= t still holds

    As in the authors' code the norm is that of one matrix a step, drawn at random, and of the masked weights,
    not of the differences alone. Choices: t follows from the share, in each matrix, where the authors set one t
    for all; an entry that stops training keeps its value; the half as the moment (a parameter in their code).
    """

    adapter_layer_names = ("sara_values",)
    other_param_names = ("sara_places", "sara_small")
    values_name = "sara_values"
    places_name = "sara_places"
    changing_buffers = ("sara_small",)
    sara_values: nn.ParameterDict
    sara_places: BufferDict

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        # Not saved with the adapter: it matters for training alone.
        self.sara_small = BufferDict(persistent=False)

    def first_places(self, config: Any, count: int) -> Tensor:
        """Where the smallest entries of the weight stand.

        Raises:
            ValueError: the weight is quantised.
        """
        weight = self.base_weight()
        if not weight.is_floating_point():
            raise ValueError("the smallest entries of a quantised weight are not known")
        return largest_entries(-weight.abs(), count)

    def add_adapter(self, adapter_name: str, config: Any) -> None:
        """Make the values, at zero, choose the places, and let all of them train."""
        super().add_adapter(adapter_name, config)
        values = self.sara_values[adapter_name]
        device = self.sara_places[adapter_name].device
        self.sara_small[adapter_name] = torch.ones(values.shape[0], dtype=torch.bool, device=device)

    def delta_weight(self, adapter_name: str) -> Tensor:
        """The difference D, out x in, with a gradient for the entries that train."""
        values = self.sara_values[adapter_name]
        training = torch.where(self.sara_small[adapter_name], values, values.detach())
        return dense_matrix(training, self.sara_places[adapter_name], (self.out_features, self.in_features))

    def masked_norm(self, adapter_name: str) -> Tensor:
        """The nuclear norm |(W + D) * M|_*, a scalar in float32."""
        places = self.sara_places[adapter_name]
        held = self.base_weight().flatten()[places.long()].float() + self.sara_values[adapter_name].float()
        return torch.linalg.svdvals(dense_matrix(held, places, (self.out_features, self.in_features))).sum()

    def keep_the_small(self, adapter_name: str) -> None:
        """From now on train only the entries whose magnitude is still at most t."""
        held = self.base_weight().flatten()[self.sara_places[adapter_name].long()]
        threshold = held.abs().max()
        self.sara_small[adapter_name].copy_((held + self.sara_values[adapter_name]).abs() <= threshold)
