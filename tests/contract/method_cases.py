"""Every method of the catalogue on small models of every family: what the contract tests run over."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoModelForSeq2SeqLM, PreTrainedModel, set_seed

from autopeft.catalog.load import load_catalog
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.config import transformers_config
from autopeft.modeling.quiet import quiet_transformers

NUM_LABELS = 3
CATALOG = load_catalog()
BERT = {
    "model_type": "bert",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 96,
    "max_position_embeddings": 128,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 96,
    "tie_word_embeddings": True,
    "eos_token_id": 1,
}
# Heads that together are wider than the model, as in T5-3B, and a decoder deeper than the encoder.
T5 = {
    "model_type": "t5",
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 48,
    "num_layers": 1,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "vocab_size": 96,
    "dropout_rate": 0.0,
    "feed_forward_proj": "gated-gelu",
    "decoder_start_token_id": 0,
}
GPT2 = {
    "model_type": "gpt2",
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 64,
    "vocab_size": 96,
    "attn_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "resid_pdrop": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
QWEN2 = {**LLAMA, "model_type": "qwen2", "max_position_embeddings": 128}
DEBERTA = {
    **BERT,
    "model_type": "deberta-v2",
    "relative_attention": True,
    "max_relative_positions": 16,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}
BART = {
    "model_type": "bart",
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 64,
    "vocab_size": 96,
    "dropout": 0.0,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": 2,
}
FAMILIES: dict[str, tuple[str, dict[str, Any] | str]] = {
    "bert": ("sequence-classification", BERT),
    "llama-lm": ("causal-lm", LLAMA),
    "llama-classifier": ("sequence-classification", LLAMA),
    "t5": ("text-to-text", T5),
    "gpt2": ("causal-lm", GPT2),
    "qwen2": ("causal-lm", QWEN2),
    "deberta": ("sequence-classification", DEBERTA),
    "bart": ("text-to-text", BART),
    "minilm-tiny-distilled": ("sequence-classification", "models/minilm-tiny-distilled"),
    "stories260k": ("causal-lm", "models/stories260k"),
    "t5-tiny-news": ("text-to-text", "models/t5-tiny-news"),
}
# What a family cannot take, for its attention or its classifier; each is refused with the reason before training.
REFUSED: dict[str, tuple[str, ...]] = {
    "deberta": ("mam", "prefix-tuning", "prefix-tuning-flat", "prefix-tuning-reparametrised", "s4", "unipelt"),
    "gpt2": ("s4", "unipelt"),
    "llama-classifier": ("p-tuning", "prompt-tuning"),
    "qwen2": ("adaption-prompt",),
}
# On these random weights prompts alone do not lower the loss within six steps.
MISSES = {("deberta", "prompt-tuning"), ("deberta", "p-tuning")}


@dataclass(frozen=True)
class Case:
    family: str
    method_id: str

    @property
    def name(self) -> str:
        return f"{self.family}-{self.method_id}"

    @property
    def method(self) -> MethodSpec:
        return CATALOG.methods[self.method_id]

    @property
    def task(self) -> TaskSpec:
        return CATALOG.tasks[FAMILIES[self.family][0]]

    @property
    def needs_material(self) -> bool:
        return isinstance(FAMILIES[self.family][1], str)


def applies(method: MethodSpec, task: TaskSpec, architecture: ArchitectureSpec) -> bool:
    return (
        not method.can("needs_quantized_base")  # test_quantized_methods.py has those
        and (not method.tasks or task.id in method.tasks)
        and (not method.architectures or architecture.kind in method.architectures)
        and all(getattr(architecture, fact) for fact in method.requires)
    )


def all_cases() -> Iterator[Case]:
    """Every method on every family that it is meant for, a method's first families first."""
    for family in FAMILIES:
        architecture = family_architecture(family)
        for method in CATALOG.methods.values():
            declared = applies(method, CATALOG.tasks[FAMILIES[family][0]], architecture)
            if declared and method.id not in REFUSED.get(family, ()):
                yield Case(family, method.id)


def family_architecture(family: str) -> ArchitectureSpec:
    """The architecture of a family's model."""
    source = FAMILIES[family][1]
    model_types = {"minilm-tiny-distilled": "bert", "stories260k": "llama", "t5-tiny-news": "t5"}
    model_type = source["model_type"] if isinstance(source, dict) else model_types[family]
    return architecture_of({"model_type": model_type}, CATALOG)


def write_pretrained(config: dict[str, Any], task: TaskSpec, folder: Path) -> None:
    """A checkpoint of random weights without any task head, as pretraining leaves it."""
    set_seed(7)
    plain = transformers_config(ModelSpec("tiny", config), task, NUM_LABELS)
    auto = AutoModelForSeq2SeqLM if config["model_type"] in ("t5", "bart") else AutoModel
    model: PreTrainedModel = auto.from_config(plain)
    with quiet_transformers():
        model.save_pretrained(folder)


def batch_for(task: TaskSpec, vocabulary: int) -> dict[str, torch.Tensor]:
    """Six rows of different length, the same on every call; the label can be read off the first token."""
    generator = torch.Generator().manual_seed(3)
    rows, length = 6, 12
    ids = torch.randint(3, vocabulary, (rows, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 9:] = 0
    ids = ids * mask
    labels = torch.arange(rows) % NUM_LABELS
    if task.head == "sequence-classification":
        ids[:, 0] = labels + 3
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}
    if task.head == "causal-lm":
        return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}
    target = torch.randint(3, vocabulary, (rows, 5), generator=generator)
    target[0, 3:] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": target}
