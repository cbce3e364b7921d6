"""The task head: which modules it is made of, and fresh parameters for it."""

import torch
from torch import nn
from transformers import PreTrainedModel

_HEADLESS_SUFFIXES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
# Set by `load_base`: modules inside the base that the checkpoint had no weights for, such as a BERT pooler.
ABSENT_MODULES = "autopeft_absent_modules"


def head_modules(model: PreTrainedModel) -> tuple[str, ...]:
    """Names of the modules that must be trained and saved because pretraining gave them no weights.

    These are the children beside the pretrained part (`classifier`, `score`, `classification_head`, ...) and
    what `load_base` found absent from the checkpoint, such as a BERT pooler. Language models have no head of
    that kind: their output layer is pretrained.

    Args:
        model: a plain transformers model, not wrapped by peft.

    Returns:
        Dotted names, in the order of the model.
    """
    absent: tuple[str, ...] = getattr(model, ABSENT_MODULES, ())
    if type(model).__name__.endswith(_HEADLESS_SUFFIXES):
        return absent
    children = [(name, child) for name, child in model.named_children() if any(True for _ in child.parameters())]
    if hasattr(model, model.base_model_prefix):
        return (*(name for name, _ in children if name != model.base_model_prefix), *absent)
    # T5 holds its pretrained parts, tables and stacks of blocks, side by side with the head.
    return (*(name for name, child in children if isinstance(child, nn.Linear)), *absent)


def reset_head(model: PreTrainedModel, seed: int) -> None:
    """Give the head fresh parameters, the same ones for the same seed on every device.

    They are drawn by the model's own initialisation, without touching the global random state.

    Args:
        model: a plain transformers model whose head parameters are its own.
        seed: of the draw.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for name in head_modules(model):
            _reinitialise(model, model.get_submodule(name))


def _reinitialise(model: PreTrainedModel, head: nn.Module) -> None:
    device = next(head.parameters()).device
    if device.type == "meta":
        return
    head.to("cpu")
    for module in head.modules():
        for parameter in module.parameters(recurse=False):
            # transformers leaves alone what carries this mark of a loaded weight.
            parameter.__dict__.pop("_is_hf_initialized", None)
        model._init_weights(module)
    head.to(device)
