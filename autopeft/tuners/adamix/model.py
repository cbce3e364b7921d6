"""Puts AdaMix into a model."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autopeft.tuners.adamix.config import AdaMixConfig
from autopeft.tuners.adamix.layer import AdaMixLayer
from autopeft.tuners.base_model import AdapterModel

_IGNORED = -100


class AdaMixModel(AdapterModel):
    """A model with a mixture of adapters after each target module (arXiv:2205.12410).

    It has sites * M * (2db + b + d) adapter parameters, for M copies.
    """

    prefix: str = "adamix_"
    tuner_layer_cls = AdaMixLayer

    def layer_for(self, config: Any, adapter_name: str, name: str, target: nn.Module, parent: nn.Module) -> AdaMixLayer:
        """A layer around any module that has an output width."""
        return AdaMixLayer(target, adapter_name)

    def training_loss(self, run: Callable[[], Any], batch: Mapping[str, Tensor]) -> Tensor:
        """The mean loss of two passes with different draws, plus how much their predictions differ (section 3.2).

        Choice: the two passes count alike in the loss; the consistency is the mean over rows (or tokens with a
        label) of (KL(a || b) + KL(b || a)) / 2.

        Args:
            run: one forward pass of the whole model.
            batch: that it runs on.
        """
        config: AdaMixConfig = self.peft_config[self.active_adapters[0]]
        first, second = run(), run()
        loss: Tensor = (first.loss + second.loss) / 2
        return loss + config.consistency * divergence(_logits(first), _logits(second), batch.get("labels"))


def _logits(told: Any) -> Tensor:
    """What a pass predicts, ... x classes; of an answer's two ends, whose classes are the positions, B x 2 x L."""
    if getattr(told, "start_logits", None) is not None:
        return torch.stack([told.start_logits, told.end_logits], dim=1)
    logits: Tensor = told.logits
    return logits


def divergence(first: Tensor, second: Tensor, labels: Tensor | None) -> Tensor:
    """The symmetric Kullback-Leibler divergence of two predictions, a scalar.

    Args:
        first: logits, ... x classes.
        second: likewise.
        labels: where there is one for each place, places labelled -100 do not count.
    """
    a, b = torch.log_softmax(first.float(), -1), torch.log_softmax(second.float(), -1)
    # KL(a || b) + KL(b || a) = sum (p_a - p_b) (log p_a - log p_b).
    apart = ((a.exp() - b.exp()) * (a - b)).sum(-1) / 2
    if labels is None or labels.shape != apart.shape:
        return apart.mean()
    counted = (labels != _IGNORED).to(apart.dtype)
    return (apart * counted).sum() / counted.sum().clamp(min=1)
