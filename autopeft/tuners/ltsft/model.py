"""Puts LT-SFT into a model."""

from collections.abc import Mapping

from torch import Tensor

from autopeft.tuners.ltsft.config import LtSftConfig
from autopeft.tuners.ltsft.layer import LtSftLayer
from autopeft.tuners.sparsely_saved import SparselySavedModel


class LtSftModel(SparselySavedModel):
    """A model whose entries to train are those that full fine-tuning moves the most (arXiv:2110.07560).

    It trains the sum over targets of in * out adapter parameters, and saves the entries that are left.
    """

    prefix: str = "ltsft_"
    tuner_layer_cls = LtSftLayer
    layer_cls = LtSftLayer
    weight_name = "ltsft_w"

    def after_update(self, step: int, total_steps: int) -> None:
        """At the end of the first phase, choose the entries and start them again.

        Args:
            step: updates made so far.
            total_steps: of the whole training.
        """
        name = self.active_adapters[0]
        config: LtSftConfig = self.peft_config[name]
        if step == max(1, round(total_steps * config.choose_at)):
            for module in self.model.modules():
                if isinstance(module, LtSftLayer):
                    module.choose(name, config.density)

    @classmethod
    def difference(cls, held: Mapping[str, Tensor], stem: str, adapter_name: str) -> Tensor:
        """The difference's entries that are kept, out x in.

        Args:
            held: all tensors of the adapter, by name.
            stem: name of the layer.
            adapter_name: the last part of each tensor's name.
        """
        return super().difference(held, stem, adapter_name) * held[f"{stem}.ltsft_kept.{adapter_name}"]

    @classmethod
    def beside(cls, kept: Tensor) -> dict[str, Tensor]:
        """The mask of the entries that are left.

        Args:
            kept: 1 where the difference has an entry, 0 elsewhere.
        """
        return {"ltsft_kept": kept.bool()}
