"""Puts DiffPruning into a model."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autopeft.tuners.diffpruning.config import DiffPruningConfig
from autopeft.tuners.diffpruning.layer import SETTLED, DiffPruningLayer, settled_gate
from autopeft.tuners.sparsely_saved import SparselySavedModel


class DiffPruningModel(SparselySavedModel):
    """A model with a pruned difference on each target weight (arXiv:2012.07463).

    It trains the sum over targets of 2 * in * out adapter parameters, and saves the entries that differ.
    """

    prefix: str = "diffpruning_"
    tuner_layer_cls = DiffPruningLayer
    layer_cls = DiffPruningLayer
    weight_name = "diffpruning_w"

    def training_loss(self, run: Callable[[], Any], batch: Mapping[str, Tensor]) -> Tensor:
        """The model's loss plus the expected number of differing entries.

        Args:
            run: one forward pass of the whole model.
            batch: that it runs on.
        """
        counts = [layer.expected_count(self.active_adapters[0]) for layer in self._layers()]
        loss: Tensor = run().loss + self._config().sparsity_penalty * torch.stack(counts).sum()
        return loss

    def after_update(self, step: int, total_steps: int) -> None:
        """At the moment that the configuration names, drop all but the largest differences.

        Args:
            step: updates made so far.
            total_steps: of the whole training.
        """
        config = self._config()
        if step == max(1, round(total_steps * config.prune_at)):
            for layer in self._layers():
                layer.prune(self.active_adapters[0], config.density)

    def _layers(self) -> list[DiffPruningLayer]:
        return [module for module in self.model.modules() if isinstance(module, DiffPruningLayer)]

    def _config(self) -> DiffPruningConfig:
        config: DiffPruningConfig = self.peft_config[self.active_adapters[0]]
        return config

    @classmethod
    def difference(cls, held: Mapping[str, Tensor], stem: str, adapter_name: str) -> Tensor:
        """The difference with its gates as they are without a draw, out x in.

        Args:
            held: all tensors of the adapter, by name.
            stem: name of the layer.
            adapter_name: the last part of each tensor's name.
        """
        gate = settled_gate(held[f"{stem}.diffpruning_gate.{adapter_name}"])
        return gate * super().difference(held, stem, adapter_name)

    @classmethod
    def beside(cls, kept: Tensor) -> dict[str, Tensor]:
        """Gates that are exactly open where there is an entry, and exactly closed elsewhere.

        Args:
            kept: 1 where the difference has an entry, 0 elsewhere.
        """
        return {"diffpruning_gate": (2 * kept - 1) * SETTLED}
