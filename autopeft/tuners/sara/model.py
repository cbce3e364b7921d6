"""Puts SaRA into a model."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autopeft.tuners.linear_delta import LinearDeltaModel
from autopeft.tuners.sara.config import SaraConfig
from autopeft.tuners.sara.layer import SaraLayer


class SaraModel(LinearDeltaModel):
    """A model that trains the entries of smallest magnitude (arXiv:2409.06633).

    It has the sum over targets of round(density * in * out) adapter parameters.
    """

    prefix: str = "sara_"
    tuner_layer_cls = SaraLayer
    layer_cls = SaraLayer

    def training_loss(self, run: Callable[[], Any], batch: Mapping[str, Tensor]) -> Tensor:
        """The model's loss plus the nuclear norm of one matrix, drawn from the global random state.

        Args:
            run: one forward pass of the whole model.
            batch: that it runs on.
        """
        loss: Tensor = run().loss
        config = self._config()
        if config.rank_penalty == 0:
            return loss
        layers = self._layers()
        drawn = int(torch.randint(len(layers), (1,), device="cpu"))
        return loss + config.rank_penalty * layers[drawn].masked_norm(self.active_adapters[0])

    def after_update(self, step: int, total_steps: int) -> None:
        """After half of the training, stop the entries that have grown.

        Args:
            step: updates made so far.
            total_steps: of the whole training.
        """
        if self._config().progressive and step == total_steps // 2:
            for layer in self._layers():
                layer.keep_the_small(self.active_adapters[0])

    def _layers(self) -> list[SaraLayer]:
        return [module for module in self.model.modules() if isinstance(module, SaraLayer)]

    def _config(self) -> SaraConfig:
        config: SaraConfig = self.peft_config[self.active_adapters[0]]
        return config
