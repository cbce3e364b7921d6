"""Puts FishMask into a model."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from autopeft.tuners.fishmask.config import FishMaskConfig
from autopeft.tuners.fishmask.layer import FishMaskLayer
from autopeft.tuners.gradient_choice import Batch, GradientChoiceModel


class FishMaskModel(GradientChoiceModel):
    """A model that trains the entries with the largest Fisher information (arXiv:2111.09839).

    It has the sum over targets of round(density * in * out) adapter parameters.
    """

    prefix: str = "fishmask_"
    tuner_layer_cls = FishMaskLayer
    layer_cls = FishMaskLayer

    def gather(self, total: Tensor | None, gradient: Tensor) -> Tensor:
        """The sum of squared gradients."""
        squared = gradient.detach().float().square()
        return squared if total is None else total.add_(squared)

    def groups(self, batches: Sequence[Batch]) -> Iterator[Batch]:
        """The rows in about as many groups as the configuration says, none of them across micro-batches."""
        config: FishMaskConfig = self.peft_config[self.active_adapters[0]]
        each = -(-config.groups // len(batches))
        for batch in batches:
            parts = min(each, next(iter(batch.values())).shape[0])
            cut = {name: tensor.tensor_split(parts) for name, tensor in batch.items()}
            yield from ({name: pieces[part] for name, pieces in cut.items()} for part in range(parts))
