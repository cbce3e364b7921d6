"""The adapter worked into the base's weights: a plain transformers model that answers alike, which is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn

from autopeft.domain.methods import MethodSpec
from autopeft.errors import ModelError, UsageError
from autopeft.modeling.config import first_line
from autopeft.modeling.quiet import quiet_transformers

Batch = Mapping[str, Tensor]
# Rounding of float32 sums in another order; what peft's own tests allow for merged weights is wider.
GREATEST_RELATIVE_DIFFERENCE = 1e-3
_MERGEABLE = "mergeable"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models' outputs are apart on the same rows.

    Attributes:
        rows: compared.
        greatest_difference: of two logits.
        greatest_logit: of the unmerged model, by its size: what the difference is to be seen against.
        same_choices: share of positions, 0 to 1, where the same output is the greatest.
    """

    rows: int
    greatest_difference: float
    greatest_logit: float
    same_choices: float

    @property
    def relative_difference(self) -> float:
        """The greatest difference by the greatest logit."""
        return self.greatest_difference / max(self.greatest_logit, 1e-12)


def refuse_unmergeable(method: MethodSpec) -> None:
    """See that a method's adapter has an equal weight.

    Raises:
        UsageError: it has none; the message says why.
    """
    found = method.capabilities.get(_MERGEABLE)
    if found is not None and found.value is False:
        raise UsageError(
            f"{method.title} cannot be merged: {found.provenance}",
            hint="use the adapter as it is; its model card says how to load it",
        )


def merged(model: nn.Module, method: MethodSpec) -> nn.Module:
    """The model with its adapter in the weights; a fully fine-tuned model is given back as it is.

    Args:
        model: adapted; it is used up.
        method: of the adapter.

    Raises:
        UsageError: the method has no equal weight.
        ModelError: peft refuses to merge it, or the result is not finite.
    """
    refuse_unmergeable(method)
    if not isinstance(model, PeftModel):
        return model
    # A head of several layers must leave peft's wrapper first: most tuners look for its one weight while they merge.
    bare: Any = _without_wrappers(model)
    try:
        plain: nn.Module = bare.merge_and_unload(safe_merge=True)
    except (ValueError, TypeError, NotImplementedError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"{method.title} cannot be merged into this model: {first_line(error)}",
            hint="use the adapter as it is; its model card says how to load it",
        ) from error
    return plain


@torch.inference_mode()
def outputs(model: nn.Module, batches: Sequence[Batch]) -> list[Tensor]:
    """The logits of each batch, on the CPU; of a reader of spans (rows, tokens, 2): where they begin and end."""
    device = next(model.parameters()).device
    return [
        _logits(model(**{name: tensor.to(device) for name, tensor in batch.items()})).float().cpu() for batch in batches
    ]


def _logits(output: Any) -> Tensor:
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], dim=-1)
    logits: Tensor = output.logits
    return logits


def agreement(before: Sequence[Tensor], after: Sequence[Tensor]) -> Agreement:
    """How far the logits of two models are apart.

    Args:
        before: of the unmerged model, (rows, ..., outputs) a batch; soft prompts may stand in front.
        after: of the merged one, the same batches.
    """
    pairs = [
        (one[:, -other.shape[1] :] if one.dim() == 3 else one, other) for one, other in zip(before, after, strict=True)
    ]
    choices = [(one.argmax(-1) == other.argmax(-1)).float().flatten() for one, other in pairs]
    return Agreement(
        rows=sum(len(one) for one, _ in pairs),
        greatest_difference=max(float((one - other).abs().max()) for one, other in pairs),
        greatest_logit=max(float(one.abs().max()) for one, _ in pairs),
        same_choices=float(torch.cat(choices).mean()),
    )


def check_agreement(found: Agreement) -> None:
    """See that a merged model says what the unmerged one does.

    Raises:
        ModelError: it differs by more than rounding.
    """
    if not found.relative_difference <= GREATEST_RELATIVE_DIFFERENCE:
        raise ModelError(
            f"the merged model's outputs differ by {found.greatest_difference:.2g} where the greatest is "
            f"{found.greatest_logit:.2g}: that is more than rounding",
            hint="nothing was written; use the adapter as it is",
        )


def save_model(model: Any, tokenizer: Any, labels: Sequence[str], folder: Path) -> None:
    """Write a plain transformers model with its tokenizer; the config names the labels.

    Args:
        model: of transformers.
        tokenizer: of the base.
        labels: classes in the order of their numbers; empty where the task has none.
        folder: made if it is not there.
    """
    if labels:
        model.config.id2label = dict(enumerate(labels))
        model.config.label2id = {label: number for number, label in enumerate(labels)}
    with quiet_transformers():
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))


def _without_wrappers(model: nn.Module) -> nn.Module:
    """The model with its own trained modules in the places of peft's wrappers around them."""
    wrapped = [(name, one) for name, one in model.named_modules() if isinstance(one, ModulesToSaveWrapper)]
    for name, wrapper in wrapped:
        holder, _, place = name.rpartition(".")
        setattr(model.get_submodule(holder), place, wrapper.modules_to_save[wrapper.active_adapter])
    return model
