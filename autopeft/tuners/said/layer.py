"""The layer of Intrinsic SAID: a weight that moves along a projection of the shared vector."""

import zlib

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import nn

from autopeft.tuners.said.config import SaidConfig
from autopeft.tuners.said.fastfood import FastfoodDraw, draw_fastfood, fastfood
from autopeft.tuners.shared_state import SharedStateLayer


class SaidLayer(SharedStateLayer):
    """A linear layer with the structure-aware intrinsic update (arXiv:2012.13255, section 3.2).

        D_i = lambda_i P_i(theta),   W_i: out x in,   theta: the shared vector of d' entries,   lambda_i: one number

    P_i is a Fastfood transform of its own for each matrix, drawn from the seed and the module's name.

    Choices: the paper updates every parameter of the model, here it is the targeted matrices; it scales by
    "layer", which the published code takes as one lambda for each parameter tensor, as here. theta starts at
    zero and lambda at one as in that code, so the start is the base, and lambda moves from the second step on.
    """

    adapter_layer_names = ("said_scale",)
    other_param_names = ("said_signs", "said_order", "said_gauss")

    def __init__(self, base_layer: nn.Module, adapter_name: str, key: str = "") -> None:
        super().__init__(base_layer, adapter_name, key)
        self.said_scale = nn.ParameterDict()
        self.said_signs = BufferDict(persistent=False)
        self.said_order = BufferDict(persistent=False)
        self.said_gauss = BufferDict(persistent=False)

    def add_adapter(self, adapter_name: str, config: SaidConfig) -> None:
        """Make the scale, at one, and draw the projection of the adapter `adapter_name`."""
        longest = max(self.in_features * self.out_features, config.intrinsic_dimension)
        seed = zlib.crc32(f"{config.projection_seed} {self.key}".encode())
        draw = draw_fastfood(longest, seed, self.get_base_layer().weight.device)
        self.said_scale[adapter_name] = nn.Parameter(torch.ones(1))
        self.said_signs[adapter_name] = draw.signs
        self.said_order[adapter_name] = draw.order
        self.said_gauss[adapter_name] = draw.gauss

    def delta_weight(self, adapter_name: str) -> torch.Tensor:
        """The difference lambda P(theta), out x in."""
        draw = FastfoodDraw(self.said_signs[adapter_name], self.said_order[adapter_name], self.said_gauss[adapter_name])
        theta = self.shared.get("said_theta", adapter_name)
        flat = fastfood(theta, draw, self.in_features * self.out_features)
        return (self.said_scale[adapter_name] * flat).view(self.out_features, self.in_features)
