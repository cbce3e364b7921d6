"""The bottleneck network that all kinds of adapters are made of."""

import math

import torch
from torch import nn

NON_LINEARITIES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Bottleneck(nn.Module):
    """W_up act(W_down x + c_down) + c_up, with W_down: b x d, W_up: d x b (arXiv:1902.00751, section 2.1).

    It starts at exactly zero: W_up, c_up and c_down are zero and W_down is drawn as `nn.Linear` and LoRA draw
    theirs, so that W_up has a gradient from the first step on. The weights are parameters of this module and
    not of modules within it, since peft takes an adapter's name only from the second to last place of a key.

    Args:
        features: d, the width of input and output.
        bottleneck_size: b.
        non_linearity: a key of `NON_LINEARITIES`.

    Raises:
        ValueError: the non-linearity is unknown.
    """

    def __init__(self, features: int, bottleneck_size: int, non_linearity: str) -> None:
        super().__init__()
        self.act = non_linearity_of(non_linearity)
        self.down_weight = nn.Parameter(torch.empty(bottleneck_size, features))
        self.down_bias = nn.Parameter(torch.zeros(bottleneck_size))
        self.up_weight = nn.Parameter(torch.zeros(features, bottleneck_size))
        self.up_bias = nn.Parameter(torch.zeros(features))
        nn.init.kaiming_uniform_(self.down_weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network's output.

        Args:
            x: ... x d; cast to the weights' dtype.

        Returns:
            ... x d, in the weights' dtype.
        """
        hidden = nn.functional.linear(x.to(self.down_weight.dtype), self.down_weight, self.down_bias)
        return nn.functional.linear(self.act(hidden), self.up_weight, self.up_bias)


def non_linearity_of(name: str) -> nn.Module:
    """The activation module of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in NON_LINEARITIES:
        raise ValueError(f"non_linearity {name!r} is not one of {', '.join(NON_LINEARITIES)}")
    return NON_LINEARITIES[name]()
