"""Puts AdaLoRA into a model, and hands the ranks out while it trains."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autopeft.tuners.adaptive_rank.config import AdaptiveRankConfig
from autopeft.tuners.adaptive_rank.layer import AdaptiveRankLayer
from autopeft.tuners.linear_delta import LinearDeltaModel

# Ranks are handed out some hundred times in a training (choice; the paper's interval is 10 to 100 updates).
_TIMES = 100


class AdaptiveRankModel(LinearDeltaModel):
    """A model whose target matrices share a budget of ranks (AdaLoRA, arXiv:2303.10512).

    It trains the sum over targets of k * (in + out + 1) adapter parameters, k the starting rank; at the end r of k
    triplets are left on average.

    Choices: peft's own AdaLoRA is not used, since its importance scores live outside of what a checkpoint holds and
    a reloaded adapter fails on batches with labels; cut triplets are saved as zeros, so that a reloaded adapter
    computes the same bits. The penalty is a mean of norms, not of their squares, as in the authors' code.
    """

    prefix: str = "adaptive_rank_"
    tuner_layer_cls = AdaptiveRankLayer
    layer_cls = AdaptiveRankLayer

    def training_loss(self, run: Callable[[], Any], batch: Mapping[str, Tensor]) -> Tensor:
        """The model's loss plus the orthogonality penalty (section 3.1, equation 4).

        Args:
            run: one forward pass of the whole model.
            batch: that it runs on.
        """
        loss: Tensor = run().loss
        weight = self._config().orthogonality
        if weight == 0:
            return loss
        penalties = [layer.penalty(self.active_adapters[0]) for layer in self._layers()]
        # Two norms a layer.
        return loss + weight * torch.stack(penalties).mean() / 2

    def after_update(self, step: int, total_steps: int) -> None:
        """Note the gradients, cut the least important triplets down to the budget; at the end keep to the choice.

        Args:
            step: updates made so far.
            total_steps: of the whole training.
        """
        config, name, layers = self._config(), self.active_adapters[0], self._layers()
        if config.hands_out(step, total_steps):
            for layer in layers:
                layer.note_gradients(name, config.smoothing)
            last = not config.hands_out(step + 1, total_steps)
            if not last and step % max(1, total_steps // _TIMES):
                return
            self._hand_out(layers, name, config.budget(step, total_steps))
        for layer in layers:
            layer.cut(name)

    def _hand_out(self, layers: list[AdaptiveRankLayer], name: str, mean_rank: float) -> None:
        """Keep the most important triplets of the whole model."""
        scores = [layer.importance(name) for layer in layers]
        together = torch.cat(scores)
        kept = torch.zeros_like(together, dtype=torch.bool)
        kept[together.topk(min(len(together), int(mean_rank * len(layers)))).indices] = True
        for layer, mask in zip(layers, kept.split([len(one) for one in scores]), strict=True):
            layer.kept[name].copy_(mask)

    def _layers(self) -> list[AdaptiveRankLayer]:
        return [module for module in self.model.modules() if isinstance(module, AdaptiveRankLayer)]

    def _config(self) -> AdaptiveRankConfig:
        config: AdaptiveRankConfig = self.peft_config[self.active_adapters[0]]
        return config
