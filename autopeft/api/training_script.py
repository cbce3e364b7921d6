"""The text of a plain training script for one candidate: torch, transformers and peft, no search."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from textwrap import indent
from typing import Any, Final

from autopeft.domain.recommendation import Candidate
from autopeft.domain.tasks import HeadKind, TaskSpec
from autopeft.errors import UsageError

_TEMPLATE = Path(__file__).parent / "templates" / "train.py.txt"


@dataclass(frozen=True, slots=True)
class _Head:
    """What the script does for one kind of head.

    Attributes:
        auto_class: of transformers.
        columns: in words.
        encode: the function that makes a batch.
        classes: whether labels are classes that the data names.
    """

    auto_class: str
    columns: str
    encode: str
    classes: bool = False


_HEADS: Final[dict[HeadKind, _Head]] = {
    "sequence-classification": _Head(
        "AutoModelForSequenceClassification",
        '"text" (and "text_pair", if there are two) and "label"',
        """def encode(rows, tokenizer, classes):
    texts = [row["text"] for row in rows]
    pairs = [row["text_pair"] for row in rows] if "text_pair" in rows[0] else None
    batch = tokenizer(texts, pairs, truncation=True, max_length=MAX_LENGTH, padding=True, return_tensors="pt")
    return {**batch, "labels": torch.tensor([classes.index(str(row["label"])) for row in rows])}""",
        classes=True,
    ),
    "causal-lm": _Head(
        "AutoModelForCausalLM",
        '"text", or "prompt" and "completion" (only the completion is learned)',
        """def encode(rows, tokenizer):
    prompts = [row.get("prompt", "") for row in rows]
    answers = [row.get("completion", row.get("text", "")) + (tokenizer.eos_token or "") for row in rows]
    texts = [prompt + answer for prompt, answer in zip(prompts, answers)]
    limits = {"truncation": True, "max_length": MAX_LENGTH, "padding": True, "padding_side": "right"}
    batch = tokenizer(texts, return_tensors="pt", **limits)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    for number, prompt in enumerate(prompts):
        if prompt:
            labels[number, : len(tokenizer(prompt)["input_ids"])] = -100
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}""",
    ),
    "seq2seq-lm": _Head(
        "AutoModelForSeq2SeqLM",
        '"source" and "target"',
        """def encode(rows, tokenizer):
    limits = {"truncation": True, "max_length": MAX_LENGTH, "padding": True, "return_tensors": "pt"}
    batch = tokenizer([row["source"] for row in rows], **limits)
    targets = tokenizer(text_target=[row["target"] for row in rows], **limits)
    labels = targets["input_ids"].masked_fill(targets["attention_mask"] == 0, -100)
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}""",
    ),
}


def training_script(
    candidate: Candidate, task: TaskSpec, *, model: str, epochs: float, own_tuner: bool, full: bool
) -> str:
    """The script's text.

    Args:
        candidate: what is trained, and how.
        task: of it.
        model: hub id, or an absolute path.
        epochs: passes over the data.
        own_tuner: whether the method is one of autopeft's own tuners.
        full: whether everything trains, without an adapter.

    Raises:
        UsageError: no plain script does this task or precision.
    """
    head = _HEADS.get(task.head)
    if head is None:
        raise UsageError(f"there is no plain script for {task.id}", hint="`autopeft search` trains it")
    if candidate.shape.dtype == "float16":
        raise UsageError("a plain script does not scale losses for float16", hint="use --dtype bfloat16 or float32")
    decay = candidate.start.get("weight_decay", 0.01)
    return Template(_template()).substitute(
        {
            "model_text": _one_line(model),
            "model": json.dumps(model),
            "title": candidate.title,
            "columns": head.columns,
            "needs": _needs(candidate, own_tuner),
            "imports": _imports(candidate, head, own_tuner, full),
            "dtype": candidate.shape.dtype,
            "micro_batch_size": candidate.shape.batch_size,
            "accumulation": candidate.shape.accumulation,
            "max_length": candidate.shape.max_length,
            "epochs": f"{epochs:g}",
            "learning_rate": repr(candidate.start["learning_rate"]),
            "weight_decay": repr(decay),
            "encode": head.encode,
            "encode_arguments": ", classes" if head.classes else "",
            "load_arguments": "classes" if head.classes else "",
            "load": indent(_load(candidate, head, full), "    "),
            "prepare": indent(_prepare(candidate, head), "    "),
        }
    )


@cache
def _template() -> str:
    return _TEMPLATE.read_text(encoding="utf-8")


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def _needs(candidate: Candidate, own_tuner: bool) -> str:
    extra = ["bitsandbytes"] if candidate.shape.quantization else []
    extra += ["autopeft, whose own tuner the method is"] if own_tuner else []
    return "".join(f", and {name}" for name in extra)


def _imports(candidate: Candidate, head: _Head, own_tuner: bool, full: bool) -> str:
    peft = [] if full else ["PeftConfig", "get_peft_model"]
    transformers = [head.auto_class, "AutoTokenizer", "get_linear_schedule_with_warmup"]
    if candidate.shape.quantization:
        peft.append("prepare_model_for_kbit_training")
        transformers.append("BitsAndBytesConfig")
    lines = ["import torch"]
    lines += [f"from peft import {', '.join(sorted(peft))}"] if peft else []
    lines += [f"from transformers import {', '.join(sorted(transformers))}"]
    lines += ["", "import autopeft.tuners  # noqa: F401 - registers the method with peft"] if own_tuner else []
    return "\n".join(lines)


def _load(candidate: Candidate, head: _Head, full: bool) -> str:
    arguments = ["MODEL", "dtype=DTYPE"]
    arguments += ["num_labels=len(classes)"] if head.classes else []
    lines: list[str] = []
    if candidate.shape.quantization:
        lines.append(
            'four_bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=DTYPE)'
        )
        arguments += ["quantization_config=four_bits"]
    lines += [f"model = {head.auto_class}.from_pretrained({', '.join(arguments)})", "model.config.use_cache = False"]
    if candidate.shape.quantization:
        recompute = candidate.shape.gradient_checkpointing
        lines.append(f"model = prepare_model_for_kbit_training(model, use_gradient_checkpointing={recompute})")
    elif candidate.shape.gradient_checkpointing:
        lines.append('model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})')
    if full:
        lines.append("return model")
    else:
        lines.append("return get_peft_model(model, PeftConfig.from_pretrained(str(HERE)))")
    return "\n".join(lines)


def _prepare(candidate: Candidate, head: _Head) -> str:
    lines: list[Any] = []
    if head.classes:
        lines.append('classes = sorted({str(row["label"]) for row in rows})')
    lines.append(f"model = load_model({'classes' if head.classes else ''})")
    if head.classes:
        lines += [
            "model.config.id2label = dict(enumerate(classes))",
            "model.config.pad_token_id = tokenizer.pad_token_id",
        ]
    if not candidate.shape.quantization:
        lines.append("model.to(device)")
    return "\n".join(lines)
