"""The layer of Compacter: a module followed by a residual bottleneck of hypercomplex layers."""

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from torch import nn

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.bottleneck import non_linearity_of
from autopeft.tuners.compacter.config import CompacterConfig
from autopeft.tuners.phm import PHMLinear


class CompacterLayer(AdapterLayer):
    """A module with a serial bottleneck of LPHM layers on its output (arXiv:2106.04647, equations 7 and 8).

    With y the output of the wrapped module (last dimension d), bottleneck size b and n matrices A_i: n x n that
    all layers of the model share:

        out = y + act(y W_down + c_down) W_up + c_up,   W = sum_i A_i ⊗ (L_i R_i)

        L_down: n x d/n x r,   R_down: n x r x b/n,   L_up: n x b/n x r,   R_up: n x r x d/n

    One set of A_i serves the down and the up projection of every site, as in the authors' code; it is held, saved
    and counted by the first site. Choices: A_i is drawn from N(0, 1/n), L and R as Glorot's, and R_up and both
    biases start at zero, so that the start is exactly the identity.
    """

    adapter_layer_names = ("compacter_down", "compacter_up", "compacter_rule")
    why_not_merged = "a non-linearity stands between the two layers of the bottleneck"

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.compacter_down = nn.ModuleDict()
        self.compacter_up = nn.ModuleDict()
        self.compacter_rule = nn.ParameterDict()
        self.activations: dict[str, nn.Module] = {}
        # Not registered, so that what many sites share is saved and counted once.
        self.rule_holders: dict[str, CompacterLayer] = {}
        _, self.features = _get_in_out_features(self.get_base_layer())

    def add_adapter(self, adapter_name: str, config: CompacterConfig) -> None:
        """Add the bottleneck, and the shared matrices if no other site holds them."""
        order, rank = config.phm_dim, config.phm_rank
        self.activations[adapter_name] = non_linearity_of(config.non_linearity)
        down = PHMLinear(self.features, config.bottleneck_size, order, rank, starts_at_zero=False)
        up = PHMLinear(config.bottleneck_size, self.features, order, rank, starts_at_zero=True)
        self.compacter_down[adapter_name], self.compacter_up[adapter_name] = down, up
        if self.rule_holders[adapter_name] is self:
            rule = torch.randn(order, order, order) / order**0.5
            self.compacter_rule[adapter_name] = nn.Parameter(rule)

    def adapt(self, adapter_name: str, x: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """The output plus what the bottleneck makes of it."""
        down, up = self.compacter_down[adapter_name], self.compacter_up[adapter_name]
        rule = self.rule_holders[adapter_name].compacter_rule[adapter_name].to(result.device)
        hidden = self.activations[adapter_name](down(self._cast_input_dtype(result, rule.dtype), rule))
        return result + up(hidden, rule).to(result.dtype)
