"""Sparse tuners whose entries are chosen by the weights' gradients on real rows, before the first update."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from autopeft.tuners.linear_delta import LinearDeltaModel
from autopeft.tuners.sparse_delta import SparseDeltaLayer
from autopeft.tuners.sparse_entries import largest_entries

Batch = Mapping[str, Tensor]


class GradientChoiceLayer(SparseDeltaLayer):
    """A linear layer that trains the entries whose gradients say the most.

    Until the gradients are seen, the places are the first k: nothing else is known, and the shapes are right.
    """

    changing_buffers: ClassVar[tuple[str, ...]]

    def first_places(self, config: Any, count: int) -> Tensor:
        """The first `count` entries, as a stand-in until the gradients are seen."""
        return torch.arange(count, dtype=torch.int32)

    def choose(self, adapter_name: str, scores: Tensor) -> None:
        """Train the entries with the largest scores.

        Args:
            adapter_name: whose entries.
            scores: shaped like the base layer's weight.
        """
        places = getattr(self, self.places_name)
        turned = scores.T if self.transposed else scores
        places[adapter_name].copy_(largest_entries(turned, places[adapter_name].shape[0]))


class GradientChoiceModel(LinearDeltaModel):
    """A model whose trained entries are chosen from the gradients of the first step's rows."""

    def gather(self, total: Tensor | None, gradient: Tensor) -> Tensor:
        """The sum of what is kept of a weight's gradients, with one more of them.

        Args:
            total: the sum so far; None at the start.
            gradient: of one group of rows.
        """
        raise NotImplementedError

    def scores(self, total: Tensor) -> Tensor:
        """What the entries are ranked by, from the sum."""
        return total

    def start_from_data(self, loss_of: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> None:
        """Choose the entries from gradients of the base's weights; one matrix's gradient is held at a time.

        Args:
            loss_of: of a batch.
            batches: of the first step.

        Raises:
            ValueError: a weight is quantised and has no gradient.
        """
        layers = [module for module in self.model.modules() if isinstance(module, GradientChoiceLayer)]
        totals: dict[int, Tensor] = {}

        def note(place: int, weight: nn.Parameter) -> None:
            if weight.grad is not None:
                totals[place] = self.gather(totals.get(place), weight.grad)
                weight.grad = None

        with _gradients_of([layer.get_base_layer().weight for layer in layers], note):
            for group in self.groups(batches):
                loss_of(group).backward()
        with torch.no_grad():
            for place, layer in enumerate(layers):
                for name in layer.present_adapters():
                    if place in totals:
                        layer.choose(name, self.scores(totals[place]))

    def groups(self, batches: Sequence[Batch]) -> Iterator[Batch]:
        """The groups of rows that a gradient is taken of; by default the micro-batches."""
        yield from batches


@contextmanager
def _gradients_of(weights: Sequence[nn.Parameter], note: Callable[[int, nn.Parameter], None]) -> Iterator[None]:
    """Inside, the weights have gradients, which are handed to `note` as soon as each is complete."""
    if any(not weight.is_floating_point() for weight in weights):
        raise ValueError("the entries are chosen by gradients, and a quantised weight has none")
    hooks = []
    for place, weight in enumerate(weights):
        weight.requires_grad_(True)
        hooks.append(weight.register_post_accumulate_grad_hook(lambda given, place=place: note(place, given)))
    try:
        yield
    finally:
        for hook, weight in zip(hooks, weights, strict=True):
            hook.remove()
            weight.requires_grad_(False)
