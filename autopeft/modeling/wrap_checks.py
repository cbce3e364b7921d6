"""What must hold after wrapping: peft leaves some heads random and some models without anything to train."""

import inspect
from collections.abc import Sequence

from peft import PeftModel, PrefixTuningConfig
from peft.tuners.adaption_prompt.utils import is_adaption_prompt_trainable
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from torch import nn

from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.step_checks import nearest_that_works
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError, RankError


def check_wrapped(model: PeftModel, method: MethodSpec, heads: Sequence[str]) -> None:
    """Assert that something trains, the head does, and nothing undeclared does.

    Args:
        model: wrapped by peft.
        method: that wrapped it.
        heads: modules of the unwrapped model that must train.

    Raises:
        ModelError: one of these does not hold, or a rank exceeds its layer.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError(f"{method.id} would train nothing on this model", hint=_advice(method))
    _check_ranks(model, method)
    _check_virtual_tokens(model, method)
    _check_prefix(model, method)
    if method.as_recorded:  # what else it trains, or leaves untrained, is as somebody wanted it
        return
    base = model.get_base_model()
    for name in heads:
        if not any(p.requires_grad for p in base.get_submodule(name).parameters()):
            raise ModelError(f"{method.id} would leave the task head {name!r} untrained", hint=_advice(method))
    if undeclared := _undeclared(model):
        raise ModelError(f"{method.id} would also train {undeclared[0]}", hint=_advice(method))


def _advice(method: MethodSpec) -> str:
    return f"this combination of method and model is not supported; use {nearest_that_works(method)}"


def check_padding_is_seen(model: PeftModel, method: MethodSpec, task: TaskSpec, architecture: ArchitectureSpec) -> None:
    """Refuse prompts before the input of a decoder that classifies.

    peft hands over embeddings in place of tokens then; the classifier, which finds a row's last token by its number,
    takes the last column, which is padding in all rows but the longest.

    Args:
        model: wrapped by peft.
        method: that wrapped it.
        task: of the model's head.
        architecture: of the base.

    Raises:
        ModelError: it is such a combination.
    """
    config = model.active_peft_config
    by_embeddings = config.is_prompt_learning and not isinstance(config, PrefixTuningConfig)
    if by_embeddings and architecture.kind == "decoder" and task.head == "sequence-classification":
        raise ModelError(
            f"{method.id} hides a decoder's padding, so that its classifier would read the class off it",
            hint="choose prefix-tuning or another method, or write the label out: --task classification-as-text",
        )


def _undeclared(model: PeftModel) -> list[str]:
    """Names of trainable parameters that belong neither to an adapter nor to a saved module."""
    declared = {
        id(parameter)
        for name, module in model.named_modules()
        if isinstance(module, AuxiliaryTrainingWrapper) or name.startswith("prompt_encoder")
        for parameter in module.parameters()
    }
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            declared |= _adapter_ids(module)
    # What a tuner holds beside the model (Shadow's own network), and LLaMA-Adapter's prompts within attention.
    own = (p for name, p in model.base_model.named_parameters() if not name.startswith("model."))
    declared |= {id(parameter) for parameter in own}
    declared |= {id(p) for name, p in model.named_parameters() if is_adaption_prompt_trainable(name)}
    return [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in declared]


def _adapter_ids(layer: BaseTunerLayer) -> set[int]:
    held = (getattr(layer, name) for name in layer.adapter_layer_names)
    return {id(p) for one in held if isinstance(one, nn.Module) for p in one.parameters()}


def _check_ranks(model: PeftModel, method: MethodSpec) -> None:
    if not getattr(model.active_peft_config, "r", None):  # FRoD's layers call their width `r`, OFT's their blocks
        return
    for name, layer in model.named_modules():
        ranks = getattr(layer, "r", None) if isinstance(layer, BaseTunerLayer) else None
        widest = min(getattr(layer, "in_features", 0) or 0, getattr(layer, "out_features", 0) or 0)
        if isinstance(ranks, dict) and widest and max(ranks.values(), default=0) > widest:
            short = name.removeprefix("base_model.model.")
            raise RankError(
                f"rank {max(ranks.values())} of {method.id} exceeds the size of {short}, which is {widest}",
                greatest=widest,
            )


def _check_prefix(model: PeftModel, method: MethodSpec) -> None:
    """Refuse peft's own prefixes, past keys and values, where peft itself would only in the first step."""
    if not isinstance(model.active_peft_config, PrefixTuningConfig) or not hasattr(model, "transformer_backbone_name"):
        return
    backbone = model.base_model.get_submodule(model.transformer_backbone_name)
    takers = (model.base_model, backbone)
    if not any("past_key_values" in inspect.signature(taker.forward).parameters for taker in takers):
        raise ModelError(
            f"{method.id} needs a model that takes past keys and values, which {type(backbone).__name__} does not",
            hint=f"use {nearest_that_works(method)}",
        )


def _check_virtual_tokens(model: PeftModel, method: MethodSpec) -> None:
    config = model.active_peft_config
    places = getattr(model.get_base_model().config, "max_position_embeddings", None)
    if config.is_prompt_learning and places and config.num_virtual_tokens >= places:
        raise ModelError(
            f"{config.num_virtual_tokens} virtual tokens of {method.id} fill the model's {places} positions",
            hint="choose fewer virtual tokens",
        )
