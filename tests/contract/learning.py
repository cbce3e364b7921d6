"""Sixty steps of every method on a real small task, its head frozen: does the adapter itself learn, and all of it?"""

import functools
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from method_cases import CATALOG, FAMILIES, Case, write_pretrained
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedModel

from autopeft.domain.models import ModelSpec
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import load_base
from autopeft.modeling.heads import head_modules
from autopeft.modeling.source import read_model
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update
from autopeft.modeling.wrap import wrap
from autopeft.training.schedule import learning_rate_scale, set_learning_rate

STEPS = 60
ROWS, BATCH_SIZE, TOKENS = 64, 16, 24
NUM_LABELS = 2
# Loss must fall by this share of what it was, so that rounding is not taken for learning.
LEAST_FALL = 0.005
# Looked at after so many steps: what has learned by then need not go on.
LOOKS = (5, 10, 20, 40, STEPS)
# Parts of names of tensors that a method has and its output does not use: Shadow's network updates a state after each
# block, and after the last one nobody reads it (peft 0.21.2, tuners/shadow).
UNUSED = {"shadow": ("shadow_update_transform", "shadow_update_gate")}


@dataclass(frozen=True)
class Text:
    """A real task: where its rows lie, whose tokenizer reads them, and how many words that knows."""

    rows: str
    tokenizer: str
    vocabulary: int


TEXTS = {
    "sequence-classification": Text("data/sst2/train.jsonl", "models/minilm-tiny-distilled", 8192),
    "causal-lm": Text("data/gsm8k/train.jsonl", "models/stories260k", 512),
    "text-to-text": Text("data/cnn_dailymail/train.jsonl", "models/t5-tiny-news", 4096),
}


@dataclass(frozen=True)
class Learned:
    """What the steps did.

    Attributes:
        start_loss: over all rows, before.
        end_loss: over the same rows, after.
        steps: made.
        tensors: of the adapter, that train.
        still: those of them that were what they had been whenever somebody looked.
    """

    start_loss: float
    end_loss: float
    steps: int
    tensors: int
    still: tuple[str, ...]

    @property
    def fall(self) -> float:
        """The share of the loss that is gone."""
        return 1 - self.end_loss / self.start_loss


def material() -> Path:
    """The folder of test material."""
    return Path(os.environ["AUTOPEFT_MATERIAL"])


@functools.cache
def base_of(family: str, root: Path) -> tuple[PreTrainedModel, ModelSpec]:
    """A family's model: the real one, or random weights that know the words of the task."""
    task_id, source = FAMILIES[family]
    task = CATALOG.tasks[task_id]
    folder = root / f"learning-{family}"
    if isinstance(source, str):
        folder = material() / source
    else:
        write_pretrained({**source, **_drawn_wide(source), "vocab_size": TEXTS[task_id].vocabulary}, task, folder)
    model = read_model(str(folder), CATALOG)
    torch.manual_seed(0)
    base = load_base(model, task, NUM_LABELS)
    if not isinstance(source, str):
        _give_biases(base)
    return base, model


def _drawn_wide(config: dict[str, Any]) -> dict[str, float]:
    """Weights as wide for a model of this width as the usual 0.02 is for BERT's 768; T5 sees to that itself.

    Drawn with 0.02, matrices of 32 hand on next to nothing, and what scales or rotates them changes next to nothing.
    """
    if config["model_type"] == "t5":
        return {}
    name = "init_std" if config["model_type"] == "bart" else "initializer_range"
    width = next(config[key] for key in ("hidden_size", "d_model", "n_embd") if key in config)
    return {name: 0.02 * math.sqrt(768 / width)}


@torch.no_grad()
def _give_biases(base: nn.Module) -> None:
    """Biases are drawn as zeros, which no pretraining leaves: what scales them (GLoRA's D) would get no gradient."""
    for name, parameter in base.named_parameters():
        if name.endswith(".bias"):
            parameter.normal_(std=0.1)


@functools.cache
def batches_of(task_id: str) -> tuple[dict[str, Tensor], ...]:
    """Real rows, tokenised and padded, the same on every call."""
    text = TEXTS[task_id]
    with (material() / text.rows).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in islice(file, ROWS)]
    tokenizer = AutoTokenizer.from_pretrained(material() / text.tokenizer, local_files_only=True)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    parts = [rows[start : start + BATCH_SIZE] for start in range(0, ROWS, BATCH_SIZE)]
    return tuple(_batch(task_id, tokenizer, part) for part in parts)


def _batch(task_id: str, tokenizer: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    first = {"sequence-classification": "sentence", "causal-lm": "question", "text-to-text": "article"}[task_id]
    inputs = _encoded(tokenizer, [row[first] for row in rows])
    if task_id == "sequence-classification":
        return inputs | {"labels": torch.tensor([row["label"] for row in rows])}
    answers = inputs if task_id == "causal-lm" else _encoded(tokenizer, [row["highlights"] for row in rows])
    return inputs | {"labels": answers["input_ids"].masked_fill(answers["attention_mask"] == 0, -100)}


def _encoded(tokenizer: Any, texts: list[str]) -> dict[str, Tensor]:
    made = tokenizer(texts, max_length=TOKENS, truncation=True, padding=True, return_tensors="pt")
    return {name: made[name] for name in ("input_ids", "attention_mask")}


def learn(case: Case, root: Path, *, to_the_end: bool = False) -> Learned:
    """Train at the method's starting values with the head frozen, as `search` schedules the learning rate.

    Args:
        case: method and family.
        root: where random models are kept.
        to_the_end: makes all steps, also where less has shown what there is to show.
    """
    base, model = base_of(case.family, root)
    batches = batches_of(case.task.id)
    hyperparameters = case.method.start(base.num_parameters())
    torch.manual_seed(0)
    wrapped = wrap(base, case.method, hyperparameters, case.task, architecture_of(model.config, CATALOG), head_seed=0)
    _freeze_heads(wrapped, head_modules(base))
    before = {name: p.detach().clone() for name, p in wrapped.named_parameters() if p.requires_grad}
    start_loss = end_loss = _loss(wrapped, batches)
    optimizer = build_optimizer(wrapped, hyperparameters)
    done, still = 0, tuple(before)
    for look in LOOKS:
        _train(wrapped, optimizer, batches, float(hyperparameters["learning_rate"]), range(done, look))
        done, end_loss = look, _loss(wrapped, batches)
        now = dict(wrapped.named_parameters())
        still = tuple(name for name in still if torch.equal(now[name], before[name]))
        if not to_the_end and not still and end_loss < (1 - 2 * LEAST_FALL) * start_loss:
            break
    return Learned(start_loss, end_loss, done, len(before), still)


def _freeze_heads(model: nn.Module, heads: Iterable[str]) -> None:
    for name, parameter in model.named_parameters():
        if any(f".{head}." in f".{name}" for head in heads):
            parameter.requires_grad_(False)


def _train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[dict[str, Tensor]],
    rate: float,
    steps: range,
) -> None:
    model.train()
    for step in steps:
        set_learning_rate(optimizer.param_groups, rate, learning_rate_scale(step, STEPS, 0.06))
        training_step(model, [batches[step % len(batches)]], optimizer, max_grad_norm=1.0)
        after_update(model, step + 1, STEPS)


@torch.no_grad()
def _loss(model: nn.Module, batches: Sequence[dict[str, Tensor]]) -> float:
    model.eval()
    return sum(model(**batch).loss.item() for batch in batches) / len(batches)
