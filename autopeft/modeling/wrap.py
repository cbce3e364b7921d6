"""A base model plus a method: the model that trains."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence

import torch
from peft import PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.step_checks import nearest_that_works
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.clone import clone_sharing_weights
from autopeft.modeling.config import first_line
from autopeft.modeling.heads import head_modules, reset_head
from autopeft.modeling.loftq import start_from_quantisation, takes_loftq_start
from autopeft.modeling.peft_config import FULL, peft_config_of
from autopeft.modeling.quantize import use_quantized_lora
from autopeft.modeling.quantized_tuners import fit_quantized_layers
from autopeft.modeling.size_rules import check_sizes
from autopeft.modeling.update_rules import note_update_rule
from autopeft.modeling.wrap_checks import check_padding_is_seen, check_wrapped


def wrap(
    base: PreTrainedModel,
    method: MethodSpec,
    hyperparameters: Hyperparameters,
    task: TaskSpec,
    architecture: ArchitectureSpec,
    *,
    head_seed: int | None = None,
    shares_base: bool = True,
) -> nn.Module:
    """The model that trains: the base with the method's adapter, everything else frozen.

    The training mode is the base's. Works on meta tensors as on real ones.

    Args:
        base: from `build_on_meta` or `load_base`.
        method: of the catalogue.
        hyperparameters: all knobs of the method.
        task: the base's head is for it.
        architecture: of the base.
        head_seed: seed of the head's and the adapter's initial values; None leaves the base's head as it is
            and draws the adapter from the global random state.
        shares_base: whether the base stays as it is and can be wrapped again, its frozen weights shared; else it is
            itself what the method is put on, and nothing is copied.

    Returns:
        A `PeftModel`, or for full fine-tuning the model itself.

    Raises:
        ModelError: the method does not apply to this model, or nothing, too much or not the head would train.
    """
    writes_weights = method.builder == FULL or method.can("restores_base") is False
    model = clone_sharing_weights(base, own_all=writes_weights) if shares_base else base.requires_grad_(False)
    heads = head_modules(model)
    with _seeded(head_seed):
        if head_seed is not None:
            reset_head(model, head_seed)
        if method.builder == FULL:
            note_update_rule(model, method)
            return model.requires_grad_(True)
        wrapped = _with_adapter(model, method, hyperparameters, task, architecture, heads)
    note_update_rule(wrapped, method)
    check_padding_is_seen(wrapped, method, task, architecture)
    check_wrapped(wrapped, method, heads)
    return wrapped.train(base.training)


def _with_adapter(
    model: PreTrainedModel,
    method: MethodSpec,
    hyperparameters: Hyperparameters,
    task: TaskSpec,
    architecture: ArchitectureSpec,
    heads: Sequence[str],
) -> PeftModel:
    config = peft_config_of(method, hyperparameters, task, architecture, model, heads)
    check_sizes(model, config, method)
    use_quantized_lora(config)
    # On meta the adapter is made there at once: a 70B model's adapters would take seconds to draw.
    all_on_meta = all(parameter.is_meta for parameter in model.parameters())
    on_meta = torch.device("meta") if all_on_meta else contextlib.nullcontext()
    with on_meta, warnings.catch_warnings():
        # What would matter in them is asserted by `check_wrapped`.
        warnings.simplefilter("ignore")
        try:
            wrapped: PeftModel = get_peft_model(model, config)
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, NotImplementedError) as error:
            raise ModelError(
                f"{method.id} cannot be put on this {architecture.id} model: {first_line(error)}",
                hint=f"use {nearest_that_works(method)}, or other hyperparameters",
            ) from error
    if takes_loftq_start(method):
        start_from_quantisation(wrapped)
    fit_quantized_layers(wrapped)
    # peft adds names of its own to those given; a saved adapter should name each once.
    if getattr(config, "modules_to_save", None) is not None:
        config.modules_to_save = list(dict.fromkeys(config.modules_to_save))
    return wrapped


@contextlib.contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Draw from `seed` inside and leave the global random state as it was; None changes nothing."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
