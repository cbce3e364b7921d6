"""A tiny real model of any family, wrapped and trained for two steps: what a verdict of the recommender is held to.

It knows nothing of rules, capabilities or requirements. Where the recommender says no, the method is put on the model
by peft alone, so that no refusal of autopeft's own can confirm another.
"""

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers
from peft import get_peft_model, prepare_model_for_kbit_training
from torch import Tensor, nn
from transformers import PreTrainedModel

from autopeft.artifacts.merge import merged, outputs
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.tasks import HEADS, TaskSpec
from autopeft.errors import AutopeftError
from autopeft.memory.batch import empty_batch, label_count
from autopeft.modeling.config import first_line, transformers_config
from autopeft.modeling.heads import head_modules
from autopeft.modeling.peft_config import FULL, HEAD, peft_config_of
from autopeft.modeling.quiet import quiet_transformers
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update
from autopeft.modeling.update_rules import note_update_rule
from autopeft.modeling.wrap import wrap

STEPS = 2
# Rounding of float32 sums in another order, relative to the greatest logit.
MERGE_TOLERANCE = 1e-4
PADDING, PADDING_TOLERANCE = 4, 1e-2


@dataclass(frozen=True)
class Subject:
    """What is trained: a model, a method with its hyperparameters, a task and the shape of a step."""

    model: ModelSpec
    architecture: ArchitectureSpec
    task: TaskSpec
    method: MethodSpec
    hyperparameters: Hyperparameters
    shape: StepShape


@dataclass(frozen=True)
class Outcome:
    """Whether it trained (and merged, where that was asked), and what happened in one line."""

    works: bool
    what: str


def outcome(subject: Subject, *, by_autopeft: bool, merge: bool) -> Outcome:
    """Build, wrap, train two steps and look at what moved.

    Args:
        subject: to train.
        by_autopeft: whether autopeft wraps, with its checks; else peft alone does.
        merge: whether the trained adapter has to merge without changing the outputs.
    """
    torch.manual_seed(0)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        try:
            base = real_base(subject, folder)
            model = _wrapped(base, subject) if by_autopeft else _wrapped_by_peft(base, subject)
            fault = _trains(model, subject, head_modules(base)) or (_merges(model, subject) if merge else "")
        except Exception as error:  # whatever a combination raises is the finding
            return Outcome(False, f"{type(error).__name__}: {first_line(error)}")
    return Outcome(not fault, fault or ("trains and merges" if merge else "trains"))


def real_base(subject: Subject, folder: str) -> PreTrainedModel:
    """A model of random weights for the task, in training mode, all frozen; a quantised one was read from `folder`."""
    shape, head = subject.shape, HEADS[subject.task.head]
    config = transformers_config(subject.model, subject.task, shape.num_labels)
    auto_class = getattr(transformers, head.auto_class)
    attention = {"attn_implementation": "eager"} if shape.attention == "eager" else {}
    base: PreTrainedModel = auto_class.from_config(config, dtype=getattr(torch, shape.dtype), **attention)
    if shape.quantization is not None:
        base = _quantised(base, auto_class, shape, folder)
    if shape.gradient_checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    return base.requires_grad_(False).train()


def _quantised(base: PreTrainedModel, auto_class: Any, shape: StepShape, folder: str) -> PreTrainedModel:
    """The same model in bitsandbytes' 4 or 8 bits, prepared as peft does; its own weights stay in `folder`."""
    layout = transformers.BitsAndBytesConfig(
        load_in_4bit=shape.quantization != "int8",
        load_in_8bit=shape.quantization == "int8",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.float32,
    )
    with quiet_transformers():
        base.save_pretrained(folder)
        read = auto_class.from_pretrained(
            folder, quantization_config=layout, dtype=getattr(torch, shape.dtype), local_files_only=True
        )
    prepared: PreTrainedModel = prepare_model_for_kbit_training(read, use_gradient_checkpointing=False)
    return prepared


def _wrapped(base: PreTrainedModel, subject: Subject) -> nn.Module:
    return wrap(base, subject.method, subject.hyperparameters, subject.task, subject.architecture, head_seed=1)


def _wrapped_by_peft(base: PreTrainedModel, subject: Subject) -> nn.Module:
    """As peft does it with the method's configuration, unchecked."""
    method = subject.method
    if method.builder == FULL:
        model: nn.Module = base.requires_grad_(True)
    else:
        heads = head_modules(base)
        config = peft_config_of(method, subject.hyperparameters, subject.task, subject.architecture, base, heads)
        model = get_peft_model(base, config)
    note_update_rule(model, method)
    return model.train()


def _trains(model: nn.Module, subject: Subject, heads: tuple[str, ...]) -> str:
    """What did not hold while it trained; empty where all did."""
    batch = random_batch(subject)
    optimizer = build_optimizer(model, subject.hyperparameters, subject.shape.optimizer)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    reached: set[str] = set()
    for step in range(1, STEPS + 1):
        loss = training_step(model, [batch], optimizer, max_grad_norm=1.0)
        reached |= {name for name, value in model.named_parameters() if value.grad is not None}
        after_update(model, step, STEPS)
        if not torch.isfinite(loss):
            return f"the loss of step {step} is {float(loss)}"
    if subject.task.head == "question-answering" and _answers_moved(model, batch):
        return "it trains answers that stand elsewhere: virtual tokens in front move every position"
    if subject.task.head == "sequence-classification" and _padding_shows(model, batch, subject):
        return "trains, but a row's class changes with the padding behind it"
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    return _what_stayed(trained, changed, reached, heads, subject.method)


def _answers_moved(model: nn.Module, batch: Mapping[str, Tensor]) -> bool:
    with torch.no_grad():
        places: int = model(**batch).start_logits.shape[1]
    return places != batch["input_ids"].shape[1]


@torch.no_grad()
def _padding_shows(model: Any, batch: Mapping[str, Tensor], subject: Subject) -> bool:
    """Whether a row is answered otherwise when it is padded; in float32, where a difference is no rounding."""
    if subject.shape.dtype != "float32" or subject.shape.quantization is not None:
        return False
    model.eval()
    ids = batch["input_ids"][:, : subject.shape.max_length - PADDING]
    padded = nn.functional.pad(ids, (0, PADDING), value=model.config.pad_token_id)
    mask = nn.functional.pad(torch.ones_like(ids), (0, PADDING))
    alone = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    apart = (model(input_ids=padded, attention_mask=mask).logits - alone).abs().max() / alone.abs().max()
    model.train()
    return float(apart) > PADDING_TOLERANCE


def _what_stayed(
    trained: set[str], changed: set[str], reached: set[str], heads: tuple[str, ...], method: MethodSpec
) -> str:
    if strangers := sorted(changed - trained):
        return f"{strangers[0]} changed, though it is frozen"
    if unmoved := [head for head in heads if not any(_within(head, name) for name in changed)]:
        return f"the head {unmoved[0]} was not trained"
    adapter = {name for name in trained if not any(_within(head, name) for head in heads)}
    if method.builder != HEAD and not adapter & changed:
        return f"of {len(adapter)} adapter tensors none changed"
    # Shadow's last gate serves no layer, and an expert may get no token.
    if len(unreached := sorted(trained - reached)) > len(trained) / 2:
        return f"{len(unreached)} of {len(trained)} trained tensors never got a gradient, such as {unreached[0]}"
    return ""


def _within(head: str, name: str) -> bool:
    return f".{head}." in f".{name}"


def _merges(model: nn.Module, subject: Subject) -> str:
    """Why the trained adapter has no equal weight; empty where it merges without changing the outputs."""
    batch = random_batch(subject)
    (adapted,) = outputs(model.eval(), [batch])
    try:
        # Without its capabilities the method is not refused for what the catalogue says of it.
        plain = merged(model, replace(subject.method, capabilities={}))
    except AutopeftError as refusal:
        return f"trains, but {refusal.message}"
    (alike,) = outputs(plain.eval(), [batch])
    if alike.shape != adapted.shape:
        return "trains, but the merged model's outputs have another shape"
    apart = float((alike - adapted).abs().max() / adapted.abs().max())
    return "" if apart <= MERGE_TOLERANCE else f"trains, but the merged model's outputs are {apart:.1%} apart"


def random_batch(subject: Subject) -> Mapping[str, Tensor]:
    """A batch of the asked shape without padding, the same on every call."""
    drawn = torch.Generator().manual_seed(5)
    task, shape, vocabulary = subject.task, subject.shape, int(subject.model.config["vocab_size"])
    batch = empty_batch(task, shape, "cpu")
    batch["attention_mask"].fill_(1)
    batch["input_ids"].random_(3, vocabulary, generator=drawn)
    for name in sorted(batch.keys() - {"attention_mask", "input_ids"}):
        batch[name].random_(0, label_count(task, shape, vocabulary), generator=drawn)
    return batch
