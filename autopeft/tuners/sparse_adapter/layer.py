"""The layer of SparseAdapter: a module followed by a bottleneck of two sparse matrices."""

from typing import ClassVar

import torch
from peft.tuners._buffer_dict import BufferDict
from peft.tuners.tuners_utils import _get_in_out_features
from torch import Tensor, nn
from torch.nn import functional

from autopeft.tuners.base_layer import AdapterLayer
from autopeft.tuners.bottleneck import non_linearity_of
from autopeft.tuners.sparse_adapter.config import SparseAdapterConfig
from autopeft.tuners.sparse_entries import dense_matrix, entry_count, largest_entries

# The narrow normal that the adapter before pruning is drawn from (arXiv:1902.00751, section 2.1).
_SPREAD = 0.01
SIDES = ("down", "up")


class SparseAdapterLayer(AdapterLayer):
    """A module with a serial bottleneck on its output of which some entries are kept (arXiv:2210.04284, section 3).

        out = y + W_up act(W_down y + c_down) + c_up,   W_down: b x d and W_up: d x b with k entries each
        snip: keep the entries with the largest |w dL/dw| of the adapter drawn, on the first rows

    Choices: the same share of either matrix of each site; serial bottlenecks after the attention and the
    feed-forward, as Houlsby's; the adapter that the entries are chosen of is drawn from N(0, 0.01^2), and what is
    kept of W_up then starts at zero, so that the start is the base. Until the rows are seen, `snip` keeps what
    `magnitude` would.
    """

    adapter_layer_names = (
        "sparse_adapter_down",
        "sparse_adapter_up",
        "sparse_adapter_down_bias",
        "sparse_adapter_up_bias",
    )
    other_param_names = ("sparse_adapter_down_places", "sparse_adapter_up_places", "sparse_adapter_act")
    changing_buffers: ClassVar[tuple[str, ...]] = ("sparse_adapter_down_places", "sparse_adapter_up_places")
    why_not_merged: ClassVar[str] = "a non-linearity stands between its two matrices"
    sparse_adapter_down: nn.ParameterDict
    sparse_adapter_up: nn.ParameterDict
    sparse_adapter_down_bias: nn.ParameterDict
    sparse_adapter_up_bias: nn.ParameterDict

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        for name in self.adapter_layer_names:
            setattr(self, name, nn.ParameterDict())
        for name in self.changing_buffers:
            setattr(self, name, BufferDict(persistent=True))
        self.sparse_adapter_act: dict[str, nn.Module] = {}
        self.shapes: dict[str, dict[str, tuple[int, int]]] = {}
        # While entries are chosen: the whole adapter drawn, by side.
        self.drawn: dict[str, Tensor] = {}

    def add_adapter(self, adapter_name: str, config: SparseAdapterConfig) -> None:
        """Make the adapter `adapter_name` of the largest entries drawn.

        Raises:
            ValueError: the non-linearity is unknown.
        """
        _, width = _get_in_out_features(self.get_base_layer())
        self.sparse_adapter_act[adapter_name] = non_linearity_of(config.non_linearity)
        self.shapes[adapter_name] = {"down": (config.bottleneck_size, width), "up": (width, config.bottleneck_size)}
        for side, shape in self.shapes[adapter_name].items():
            count = entry_count(shape, config.density)
            drawn = self._draw(shape)
            places = largest_entries(drawn.abs(), count)
            kept = drawn.flatten()[places.long()] if side == "down" else drawn.new_zeros(count)
            self._held(side)[adapter_name] = nn.Parameter(kept)
            self._held(f"{side}_places")[adapter_name] = places
            self._held(f"{side}_bias")[adapter_name] = nn.Parameter(drawn.new_zeros(shape[0]))

    def draw_whole(self, adapter_name: str) -> None:
        """Put a whole adapter in the place of the kept entries, until `keep_what_matters`."""
        shapes = self.shapes[adapter_name]
        self.drawn = {side: self._draw(shape).requires_grad_() for side, shape in shapes.items()}

    def keep_what_matters(self, adapter_name: str) -> None:
        """Keep the entries whose product with their gradient is largest."""
        for side, drawn in self.drawn.items():
            if drawn.grad is None:
                continue
            places = self._held(f"{side}_places")[adapter_name]
            places.copy_(largest_entries((drawn * drawn.grad).abs(), places.shape[0]))
            if side == "down":
                self.sparse_adapter_down[adapter_name].copy_(drawn.detach().flatten()[places.long()])
        self.drawn = {}

    def matrix(self, side: str, adapter_name: str) -> Tensor:
        """W_down, b x d, or W_up, d x b."""
        if side in self.drawn:
            return self.drawn[side]
        values, places = self._held(side)[adapter_name], self._held(f"{side}_places")[adapter_name]
        return dense_matrix(values, places, self.shapes[adapter_name][side])

    def adapt(self, adapter_name: str, x: Tensor, result: Tensor) -> Tensor:
        """`result` plus the bottleneck's output."""
        down, up = (self.matrix(side, adapter_name) for side in SIDES)
        hidden = functional.linear(
            self._cast_input_dtype(result, down.dtype), down, self.sparse_adapter_down_bias[adapter_name]
        )
        hidden = self.sparse_adapter_act[adapter_name](hidden)
        return result + functional.linear(hidden, up, self.sparse_adapter_up_bias[adapter_name]).to(result.dtype)

    def _held(self, name: str) -> nn.ParameterDict | BufferDict:
        return getattr(self, f"sparse_adapter_{name}")

    def _draw(self, shape: tuple[int, int]) -> Tensor:
        return torch.randn(shape, device=next(self.base_layer.parameters()).device) * _SPREAD
